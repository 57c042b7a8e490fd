#pragma once

#include <filesystem>
#include <string>

#include "models/files/checkpoint.hpp"

namespace slipstream {

/// Writes a model as a GGUF file that llama.cpp loads, in `type` "f32", "f16", "bf16" or "q8_0"; norms and
/// biases stay F32, rows that 32 does not divide fall back from q8_0 to f16. `place`: where tokenizer and
/// chat template are. Throws input_error for what the format would lose (a sliding window, a score head, …)
/// and for a file that is there already.
void export_gguf(const std::filesystem::path &file, const checkpoint &model,
                 const std::filesystem::path &place, const std::string &type);

}  // namespace slipstream
