#include "models/tokenizers/bpe.hpp"

#include <algorithm>

#include "models/tokenizers/bpe_model.hpp"
#include "models/tokenizers/byte_alphabet.hpp"
#include "models/tokenizers/fields.hpp"
#include "models/tokenizers/normal_forms.hpp"
#include "models/tokenizers/post_processor.hpp"
#include "models/tokenizers/pre_tokenizer.hpp"
#include "models/tokenizers/utf8.hpp"
#include "models/tokenizers/word_cache.hpp"

namespace slipstream {
namespace {

using nlohmann::json;

void read_normalizer(const json &content, const std::string &field, const std::string &file,
                     std::vector<normal_form> &forms) {
  if (content.is_null()) return;
  const std::string type = type_of(content, field, file);
  constexpr std::pair<const char *, normal_form> known[] = {{"NFC", normal_form::nfc},
                                                            {"NFD", normal_form::nfd},
                                                            {"NFKC", normal_form::nfkc},
                                                            {"NFKD", normal_form::nfkd}};
  for (const auto &[name, form] : known)
    if (type == name) return forms.push_back(form);
  if (type != "Sequence")
    refuse_field(file, field + ".type",
                 shown(type) + " is not supported; supported are: NFC, NFD, NFKC, NFKD, Sequence");
  const json &parts = array_of(content, "normalizers", field, file);
  for (std::size_t i = 0; i < parts.size(); ++i)
    read_normalizer(parts[i], field + ".normalizers[" + std::to_string(i) + "]", file, forms);
}

// What else of a tokenizer.json changes ids or text.
void refuse_others(const json &content, const std::string &file) {
  for (const char *name : {"truncation", "padding"})
    if (!member(content, name).is_null()) refuse_field(file, name, "is not supported; set it to null");
  const json &decoder = member(content, "decoder");
  if (type_of(decoder, "decoder", file) != "ByteLevel")
    refuse_field(file, "decoder.type",
                 shown(member(decoder, "type")) + " is not supported; it must be ByteLevel");
}

class bpe_tokenizer : public tokenizer {
 public:
  bpe_tokenizer(const json &content, special_tokens special, tokenizer_files files, const std::string &file)
      : words_(member(content, "pre_tokenizer"), file),
        model_(member(content, "model"), file),
        special_(std::move(special)),
        frame_(read_post_processor(member(content, "post_processor"), file)),
        files_(std::move(files)) {
    refuse_others(content, file);
    read_normalizer(member(content, "normalizer"), "normalizer", file, forms_);
    for (const auto &[text, id] : model_.vocabulary()) place(text, id, false);
    for (const added_token &token : special_.added) add(token, file);
  }

  std::vector<std::int64_t> encode(std::string_view text) const override {
    require_utf8(text);
    std::vector<std::int64_t> ids;
    std::deque<std::string> kept;
    word_cache cache(text.size());
    const auto token = [&](std::int64_t id) { ids.push_back(id); };
    const auto word = [&](std::string_view part) { encode_word(part, cache, ids); };
    const auto words = [&](std::string_view part) { words_.split(part, kept, word); };
    verbatim_.split(
        text, [&](std::string_view part) { normal_.split(normal(part, kept), words, token); }, token);
    return ids;
  }

  std::vector<std::int64_t> encode_with_special(std::string_view text) const override {
    std::vector<std::int64_t> ids = encode(text);
    ids.insert(ids.begin(), frame_.before.begin(), frame_.before.end());
    ids.insert(ids.end(), frame_.after.begin(), frame_.after.end());
    return ids;
  }

  std::string bytes_of(std::int64_t id, bool keep_special) const override {
    if (id < 0 || id >= vocab_size()) return {};  // a model may have more rows than its tokenizer has tokens
    const piece &known = tokens_[static_cast<std::size_t>(id)];
    return known.special && !keep_special ? std::string() : known.bytes;
  }

  std::string decode(const std::vector<std::int64_t> &ids, bool keep_special) const override {
    std::string bytes, text;
    for (const std::int64_t id : ids) bytes += bytes_of(id, keep_special);
    append_lossy(text, bytes, true);
    return text;
  }

  std::int64_t vocab_size() const override { return static_cast<std::int64_t>(tokens_.size()); }
  std::int64_t eos() const override { return special_.eos; }
  std::int64_t pad() const override { return special_.pad; }
  std::int64_t bos() const override { return special_.bos; }
  void save(const std::filesystem::path &folder) const override { write_tokenizer_files(files_, folder); }

 private:
  struct piece {
    std::string bytes;
    bool special = false;
  };

  // Adds a token to the table; false when its id belongs to another one.
  bool place(const std::string &text, std::int64_t id, bool special) {
    tokens_.resize(std::max(tokens_.size(), static_cast<std::size_t>(id) + 1));
    piece &where = tokens_[static_cast<std::size_t>(id)];
    auto bytes = token_bytes(text).value_or(text);  // one with other characters stands for itself
    const bool free = where.bytes.empty() || where.bytes == bytes;
    where = {std::move(bytes), special};
    return free;
  }

  void add(const added_token &token, const std::string &file) {
    if (!place(token.content, token.id, token.special))
      refuse_field(file, "added_tokens",
                   shown(json(token.content)) + " has the id of another token of model.vocab");
    if (!token.normalized) return verbatim_.add(token.content, token);
    std::deque<std::string> kept;
    normal_.add(std::string(normal(token.content, kept)), token);
  }

  std::string_view normal(std::string_view text, std::deque<std::string> &kept) const {
    for (const normal_form form : forms_) text = kept.emplace_back(normalised(text, form));
    return text;
  }

  void encode_word(std::string_view word, word_cache &cache, std::vector<std::int64_t> &ids) const {
    word_cache::entry *known = cache.find(word);
    if (known && known->word == word) {
      const std::size_t from = ids.size();
      ids.resize(from + known->count);
      std::copy_n(ids.begin() + static_cast<std::ptrdiff_t>(known->from), known->count,
                  ids.begin() + static_cast<std::ptrdiff_t>(from));
      return;
    }
    const std::size_t from = ids.size();
    model_.encode(word, ids);
    if (known) *known = {word, from, ids.size() - from};
  }

  pre_tokenizer words_;
  bpe_model model_;
  special_tokens special_;
  frame frame_;
  tokenizer_files files_;
  std::vector<normal_form> forms_;
  token_finder verbatim_, normal_;
  std::vector<piece> tokens_;
};

}  // namespace

std::shared_ptr<const tokenizer> read_bpe_tokenizer(const json &content, special_tokens special,
                                                    tokenizer_files files, const std::string &file) {
  return std::make_shared<bpe_tokenizer>(content, std::move(special), std::move(files), file);
}

}  // namespace slipstream
