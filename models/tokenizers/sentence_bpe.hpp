#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "models/tokenizers/files.hpp"
#include "models/tokenizers/special_tokens.hpp"
#include "models/tokenizers/tokenizer.hpp"

namespace slipstream {

/// The BPE tokenizer over characters that a tokenizer.json with byte_fallback holds (Llama 2, TinyLlama,
/// early Mistral, Gemma): a character without a token is written in its bytes. Throws input_error naming
/// `file` and field for whatever would change ids and is not supported.
std::shared_ptr<const tokenizer> read_sentence_tokenizer(const nlohmann::json &content,
                                                         special_tokens special, tokenizer_files files,
                                                         const std::string &file);

}  // namespace slipstream
