#pragma once

#include <filesystem>
#include <memory>

#include "models/tokenizers/tokenizer.hpp"
#include "runtime/learning/trainer.hpp"

namespace slipstream {

/// Writes `folder`/step-NNNNNN (a Hugging Face folder and optimizer.safetensors) and points `folder`/last at
/// it.
void write_checkpoint(const std::filesystem::path &folder, const trainer &core,
                      const std::shared_ptr<const tokenizer> &text);

}  // namespace slipstream
