#include "models/tokenizers/bpe.hpp"

#include <algorithm>

#include "models/tokenizers/bpe_model.hpp"
#include "models/tokenizers/byte_alphabet.hpp"
#include "models/tokenizers/fields.hpp"
#include "models/tokenizers/normal_forms.hpp"
#include "models/tokenizers/pre_tokenizer.hpp"
#include "models/tokenizers/table_tokenizer.hpp"
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
  refuse_file_fields(content, file);
  const json &decoder = member(content, "decoder");
  if (type_of(decoder, "decoder", file) != "ByteLevel")
    refuse_field(file, "decoder.type",
                 shown(member(decoder, "type")) + " is not supported; it must be ByteLevel");
}

class bpe_tokenizer : public table_tokenizer {
 public:
  bpe_tokenizer(const json &content, special_tokens special, tokenizer_files files, const std::string &file)
      : table_tokenizer(std::move(special), std::move(files),
                        read_post_processor(member(content, "post_processor"), file)),
        words_(member(content, "pre_tokenizer"), file),
        model_(member(content, "model"), file) {
    refuse_others(content, file);
    read_normalizer(member(content, "normalizer"), "normalizer", file, forms_);
    for (const auto &[text, id] : model_.vocabulary()) put(text, id, false);
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

  std::string decode(const std::vector<std::int64_t> &ids, bool keep_special) const override {
    std::string bytes, text;
    for (const std::int64_t id : ids) bytes += bytes_of(id, keep_special);
    append_lossy(text, bytes, true);
    return text;
  }

 private:
  // Puts a token into the table; false when its id belongs to another one.
  bool put(const std::string &text, std::int64_t id, bool special) {
    piece &where = place(id);
    auto bytes = token_bytes(text).value_or(text);  // one with other characters stands for itself
    const bool free = where.text.empty() || where.text == bytes;
    where = {std::move(bytes), special};
    return free;
  }

  void add(const added_token &token, const std::string &file) {
    if (!put(token.content, token.id, token.special))
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
  std::vector<normal_form> forms_;
  token_finder verbatim_, normal_;
};

}  // namespace

std::shared_ptr<const tokenizer> read_bpe_tokenizer(const json &content, special_tokens special,
                                                    tokenizer_files files, const std::string &file) {
  return std::make_shared<bpe_tokenizer>(content, std::move(special), std::move(files), file);
}

}  // namespace slipstream
