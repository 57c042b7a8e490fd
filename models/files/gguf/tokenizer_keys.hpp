#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>

#include "models/files/gguf/writer.hpp"
#include "models/files/model_tokens.hpp"
#include "models/tokenizers/tokenizer.hpp"

namespace slipstream {

/// Writes a model's tokenizer, special tokens and chat templates as keys tokenizer.*; `place` is the folder
/// or file that holds them, `rows` those of the embedding. Throws input_error naming file and field for what
/// such keys would lose.
void write_tokenizer_keys(gguf_writer &to, const std::filesystem::path &place, const tokenizer &text,
                          std::int64_t rows);

}  // namespace slipstream
