#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "models/files/model_tokens.hpp"
#include "models/network/spec.hpp"
#include "models/network/transformer.hpp"
#include "models/tokenizers/tokenizer.hpp"

namespace slipstream {

/// Low-rank adapters as PEFT's folders hold them.
struct stored_adapter {
  adapter_spec spec;
  at::Tensor values;           ///< [adapter_count] float32
  std::filesystem::path base;  ///< the folder of the model they adapt
};

/// A model as a Hugging Face folder, or a GGUF file, holds it.
struct checkpoint {
  model_spec spec;
  at::Tensor flat;  ///< [parameter_count(spec)] float32; the base's where there are adapters
  std::shared_ptr<const tokenizer> text;  ///< null when the folder has no tokenizer
  std::optional<stored_adapter> adapter;

  /// The network of this checkpoint.
  transformer network(numerics mode) const;
};

/// Named tensors that stand beside the model in a file of their own (optimizer.safetensors).
using named_tensors = std::vector<std::pair<std::string, at::Tensor>>;

/// Reads config.json, generation_config.json, (sharded) safetensors and the tokenizer; a folder with
/// adapter_config.json (PEFT) together with the model that it adapts; or a GGUF file. With `labels` = 1 a
/// folder without a score head gets a fresh one (zeros). Throws input_error naming file, tensor or field and
/// the mend.
checkpoint load_checkpoint(const std::filesystem::path &folder, std::int64_t labels = 0);

/// Cheap test, before anything is loaded: config and headers are there, readable and whole.
void verify_checkpoint(const std::filesystem::path &folder);
/// The configuration alone, with the head that `labels` asks for.
model_spec checkpoint_spec(const std::filesystem::path &folder, std::int64_t labels = 0);
/// The adapters that a folder describes, without their values; none where it holds a model.
std::optional<stored_adapter> checkpoint_adapter(const std::filesystem::path &folder);
/// The folder with the tokenizer: itself, or for adapters without one the model that they adapt.
std::filesystem::path tokenizer_folder(const std::filesystem::path &folder);
model_folders folders_of(const std::filesystem::path &folder);

/// How the weights are written: float32, float16 or bfloat16, in files of at most `shard_bytes` each (one
/// tensor may exceed it).
struct save_options {
  at::ScalarType type = at::kFloat;
  std::uint64_t shard_bytes = 5'000'000'000;
};

/// Writes the folder aside, syncs it and renames it into place, so that a kill leaves either the old state or
/// the whole new one. `extra_json` is stored as slipstream.json when not empty. With adapters only these are
/// written, in PEFT's format.
void save_checkpoint(const std::filesystem::path &folder, const checkpoint &model,
                     const named_tensors &optimizer, const std::string &extra_json,
                     const save_options &options = {});

/// "float32", "float16" or "bfloat16".
std::string type_name(at::ScalarType type);

}  // namespace slipstream
