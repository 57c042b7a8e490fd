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

std::pair<std::string, std::string> parts_of(const json &merge, std::size_t rank, const std::string &file) {
  if (merge.is_array() && merge.size() == 2 && merge[0].is_string() && merge[1].is_string())
    return {merge[0].get<std::string>(), merge[1].get<std::string>()};
  if (merge.is_string()) {
    const std::string &text = merge.get_ref<const std::string &>();
    const auto space = text.find(' ');
    if (space != text.npos && text.find(' ', space + 1) == text.npos)
      return {text.substr(0, space), text.substr(space + 1)};
  }
  refuse_field(file, "model.merges[" + std::to_string(rank) + "]",
               "must be two tokens, as \"a b\" or [\"a\", \"b\"], not " + shown(merge));
}

}  // namespace

bpe_model::bpe_model(const json &content, const std::string &file) {
  bytes_.fill(none);
  read_vocabulary(member(content, "vocab"), file);
  refuse_unsupported(content, file);
  read_merges(member(content, "merges"), file);
  if (!flag_of(content, "ignore_merges", false, "model", file)) return;
  whole_bytes_.reserve(vocabulary_.size());  // views point into it
  for (const auto &[text, id] : vocabulary_)
    if (auto bytes = token_bytes(text)) whole_.emplace(whole_bytes_.emplace_back(*std::move(bytes)), id);
}

void bpe_model::read_vocabulary(const json &content, const std::string &file) {
  if (!content.is_object() || content.empty()) refuse_field(file, "model.vocab", "must be a table of tokens");
  std::vector<bool> taken;
  vocabulary_.reserve(content.size());
  for (const auto &entry : content.items()) {
    const std::string &text = entry.key();
    const json &id = entry.value();
    const auto fail = [&](const char *what) { refuse_field(file, "model.vocab", shown(json(text)) + what); };
    if (!id.is_number_unsigned()) fail(" must have a whole number as id");
    if (id > highest_id(content.size())) fail(" has an id far beyond the number of tokens");
    if (text.empty()) fail(" is an empty token");
    const auto number = id.get<std::uint32_t>();
    if (taken.size() <= number) taken.resize(number + 1);
    if (taken[number]) fail(" has the id of another token");
    taken[number] = true;
    vocabulary_.emplace(text, number);
  }
  for (std::size_t byte = 0; byte < 256; ++byte)
    if (const auto found = vocabulary_.find(byte_characters()[byte]); found != vocabulary_.end())
      bytes_[byte] = found->second;
}

// What would change ids and is not supported. An unknown-token does nothing where every byte has a token.
void bpe_model::refuse_unsupported(const json &content, const std::string &file) const {
  const json &dropout = member(content, "dropout");
  if (!dropout.is_null() && dropout != 0)
    refuse_field(file, "model.dropout", shown(dropout) + " is not supported; set it to null");
  for (const char *name : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (const json &value = member(content, name); !value.is_null() && value != "")
      refuse_field(file, "model." + std::string(name), shown(value) + " is not supported; it must be null");
  if (flag_of(content, "byte_fallback", false, "model", file))
    refuse_field(file, "model.byte_fallback", "is not supported; a byte-level vocabulary needs none");
  if (member(content, "unk_token").is_null()) return;
  for (std::size_t byte = 0; byte < 256; ++byte)
    if (in_utf8(byte) && bytes_[byte] == none)
      refuse_field(file, "model.unk_token",
                   "is not supported in a vocabulary that lacks byte " + std::to_string(byte));
}

void bpe_model::read_merges(const json &content, const std::string &file) {
  if (!content.is_array()) refuse_field(file, "model.merges", "must be a list, not " + shown(content));
  std::vector<merge_table::merge> merges;
  merges.reserve(content.size());
  for (std::size_t rank = 0; rank < content.size(); ++rank) {
    const auto [left, right] = parts_of(content[rank], rank, file);
    const auto id_of = [&](const std::string &token) {
      const auto found = vocabulary_.find(token);
      if (found == vocabulary_.end())
        refuse_field(file, "model.merges[" + std::to_string(rank) + "]",
                     shown(json(token)) + " is not in the vocabulary");
      return found->second;
    };
    merges.push_back({id_of(left), id_of(right), id_of(left + right)});
  }
  merges_.emplace(merges);
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
