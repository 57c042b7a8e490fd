#pragma once

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "models/tokenizers/tokenizer.hpp"

namespace slipstream {

/// What a tokenizer.json and its tokenizer_config.json say about special tokens.
struct special_tokens {
  std::map<std::string, std::int64_t> ids;  ///< every added token by its text
  std::int64_t eos = -1, pad = -1, bos = -1;
};

/// The character tokenizer that a tokenizer.json of model type WordLevel holds: a vocabulary of single
/// characters, split off by a pre-tokenizer. Throws input_error naming `file` and field for any other kind of
/// WordLevel model.
std::shared_ptr<const tokenizer> read_character_tokenizer(const nlohmann::json &content,
                                                          special_tokens special, const std::string &file);

}  // namespace slipstream
