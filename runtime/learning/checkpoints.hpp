#pragma once

#include <filesystem>
#include <memory>

#include "models/tokenizers/tokenizer.hpp"
#include "runtime/learning/trainer.hpp"

namespace slipstream {

/// Writes `folder`/step-NNNNNN (a Hugging Face folder and optimizer.safetensors) and points `folder`/last at
/// it. Of a model with adapters only these are written; `base` is the folder of what they adapt,
/// or a GGUF file, which is written once as the folder `folder`/base.
void write_checkpoint(const std::filesystem::path &folder, trainer &core,
                      const std::shared_ptr<const tokenizer> &text, const std::filesystem::path &base);

/// Sets `core`, made from the checkpoint's weights, to where the checkpoint was written. Throws input_error
/// when a file is missing or damaged.
void resume_from(const std::filesystem::path &checkpoint, trainer &core);

}  // namespace slipstream
