#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "models/tokenizers/files.hpp"
#include "models/tokenizers/special_tokens.hpp"
#include "models/tokenizers/tokenizer.hpp"

namespace slipstream {

/// The character tokenizer that a tokenizer.json of model type WordLevel holds: a vocabulary of single
/// characters, split off by a pre-tokenizer. Throws input_error naming `file` and field for any other kind of
/// WordLevel model.
std::shared_ptr<const tokenizer> read_character_tokenizer(const nlohmann::json &content,
                                                          special_tokens special, tokenizer_files files,
                                                          const std::string &file);

}  // namespace slipstream
