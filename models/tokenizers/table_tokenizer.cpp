#include "models/tokenizers/table_tokenizer.hpp"

#include <algorithm>

namespace slipstream {

table_tokenizer::table_tokenizer(special_tokens special, tokenizer_files files, frame around)
    : special_(std::move(special)), around_(std::move(around)), files_(std::move(files)) {}

std::vector<std::int64_t> table_tokenizer::encode_with_special(std::string_view text) const {
  std::vector<std::int64_t> ids = encode(text);
  ids.insert(ids.begin(), around_.before.begin(), around_.before.end());
  ids.insert(ids.end(), around_.after.begin(), around_.after.end());
  return ids;
}

std::string table_tokenizer::bytes_of(std::int64_t id, bool keep_special) const {
  const piece *known = written(id, keep_special);
  return known ? known->text : std::string();
}

table_tokenizer::piece &table_tokenizer::place(std::int64_t id) {
  tokens_.resize(std::max(tokens_.size(), static_cast<std::size_t>(id) + 1));
  return tokens_[static_cast<std::size_t>(id)];
}

const table_tokenizer::piece *table_tokenizer::written(std::int64_t id, bool keep_special) const {
  if (id < 0 || id >= vocab_size()) return nullptr;
  const piece &known = tokens_[static_cast<std::size_t>(id)];
  return known.special && !keep_special ? nullptr : &known;
}

}  // namespace slipstream
