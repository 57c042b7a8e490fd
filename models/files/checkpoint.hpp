#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "models/network/spec.hpp"
#include "models/tokenizers/tokenizer.hpp"

namespace slipstream {

/// A model as a Hugging Face folder holds it.
struct checkpoint {
  model_spec spec;
  at::Tensor flat;                        ///< [parameter_count(spec)] float32
  std::shared_ptr<const tokenizer> text;  ///< null when the folder has no tokenizer
};

/// Named tensors that stand beside the model in a file of their own (optimizer.safetensors).
using named_tensors = std::vector<std::pair<std::string, at::Tensor>>;

/// Reads config.json, (sharded) safetensors and the tokenizer. With `labels` = 1 a folder without a score
/// head gets a fresh one (zeros). Throws input_error naming file, tensor or field and the mend.
checkpoint load_checkpoint(const std::filesystem::path &folder, std::int64_t labels = 0);

/// Cheap test, before anything is loaded: config and headers are there, readable and whole.
void verify_checkpoint(const std::filesystem::path &folder);
/// config.json alone, with the head that `labels` asks for.
model_spec checkpoint_spec(const std::filesystem::path &folder, std::int64_t labels = 0);

/// Writes the folder aside, syncs it and renames it into place, so that a kill leaves either the old state or
/// the whole new one. `extra_json` is stored as slipstream.json when not empty.
void save_checkpoint(const std::filesystem::path &folder, const checkpoint &model,
                     const named_tensors &optimizer, const std::string &extra_json);

}  // namespace slipstream
