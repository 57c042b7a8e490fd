#include "models/tokenizers/bpe_model.hpp"

#include "models/error.hpp"
#include "models/tokenizers/byte_alphabet.hpp"
#include "models/tokenizers/fields.hpp"

namespace slipstream {
namespace {

using nlohmann::json;

// Bytes that valid UTF-8 has.
bool in_utf8(std::size_t byte) {
  return byte != 0xc0 && byte != 0xc1 && byte <= 0xf4;
}

}  // namespace

bpe_model::bpe_model(const json &content, const std::string &file) {
  bytes_.fill(none);
  vocabulary_ = read_vocabulary(member(content, "vocab"), file);
  place_bytes();
  refuse_unsupported(content, file);
  merges_ = read_merges(member(content, "merges"), vocabulary_, file);
  if (!flag_of(content, "ignore_merges", false, "model", file)) return;
  whole_bytes_.reserve(vocabulary_.size());  // views point into it
  for (const auto &[text, id] : vocabulary_)
    if (auto bytes = token_bytes(text)) whole_.emplace(whole_bytes_.emplace_back(*std::move(bytes)), id);
}

void bpe_model::place_bytes() {
  for (std::size_t byte = 0; byte < 256; ++byte)
    if (const auto found = vocabulary_.find(byte_characters()[byte]); found != vocabulary_.end())
      bytes_[byte] = found->second;
}

// What would change ids and is not supported. An unknown-token does nothing where every byte has a token.
void bpe_model::refuse_unsupported(const json &content, const std::string &file) const {
  refuse_model_fields(content, file);
  if (flag_of(content, "byte_fallback", false, "model", file))
    refuse_field(file, "model.byte_fallback", "is not supported; a byte-level vocabulary needs none");
  if (member(content, "unk_token").is_null()) return;
  for (std::size_t byte = 0; byte < 256; ++byte)
    if (in_utf8(byte) && bytes_[byte] == none)
      refuse_field(file, "model.unk_token",
                   "is not supported in a vocabulary that lacks byte " + std::to_string(byte));
}

void bpe_model::encode(std::string_view word, std::vector<std::int64_t> &ids) const {
  if (const auto found = whole_.find(word); found != whole_.end()) {
    ids.push_back(found->second);
    return;
  }
  std::vector<std::uint32_t> symbols;
  symbols.reserve(word.size());
  for (const char c : word) {
    const auto byte = static_cast<unsigned char>(c);
    if (bytes_[byte] == none)
      throw input_error("the tokenizer has no token for byte " + std::to_string(byte) + " of \"" +
                        std::string(word.substr(0, 40)) + "\"; use one whose vocabulary holds every byte");
    symbols.push_back(bytes_[byte]);
  }
  merges_->apply(symbols);
  ids.insert(ids.end(), symbols.begin(), symbols.end());
}

}  // namespace slipstream
