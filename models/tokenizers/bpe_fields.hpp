#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <unordered_map>

#include "models/tokenizers/merges.hpp"

namespace slipstream {

/// Ids by the tokens' texts as the file writes them.
using token_ids = std::unordered_map<std::string, std::uint32_t>;

/// What both kinds of BPE read of a tokenizer.json. All throw input_error naming `file` and field.
token_ids read_vocabulary(const nlohmann::json &content, const std::string &file);
merge_table read_merges(const nlohmann::json &content, const token_ids &vocabulary, const std::string &file);
/// Refuses what would change ids and is not supported: of the model, and of the whole file.
void refuse_model_fields(const nlohmann::json &model, const std::string &file);
void refuse_file_fields(const nlohmann::json &content, const std::string &file);

/// The highest id that a file with so many tokens may give one, so that a small file cannot ask for a large
/// table.
constexpr std::uint64_t highest_id(std::size_t tokens) {
  return 65536 + 16 * std::uint64_t{tokens};
}

}  // namespace slipstream
