#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "models/tokenizers/added_tokens.hpp"

namespace slipstream {

/// What a tokenizer.json and its tokenizer_config.json say about added tokens.
struct special_tokens {
  std::vector<added_token> added;
  std::int64_t eos = -1, pad = -1, bos = -1;

  const added_token *find(const std::string &content) const;  ///< null when there is none
};

/// A file that names tokens by their parts: eos_token, pad_token, bos_token; its content is null when it is
/// not there.
struct token_names {
  nlohmann::json content;
  std::string file;
};

/// Reads added_tokens of tokenizer.json, and which are the end, padding and beginning: as
/// tokenizer_config.json names them, else special_tokens_map.json. Throws input_error naming file and field.
special_tokens read_special_tokens(const nlohmann::json &content, const std::string &file,
                                   const token_names &config, const token_names &map);

/// <pad>, <bos> and <eos> with the ids 0, 1 and 2, as tokenizers that are made here have them.
special_tokens padding_and_ends();

}  // namespace slipstream
