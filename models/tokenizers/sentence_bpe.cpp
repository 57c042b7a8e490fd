#include "models/tokenizers/sentence_bpe.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include "models/error.hpp"
#include "models/tokenizers/bpe_fields.hpp"
#include "models/tokenizers/fields.hpp"
#include "models/tokenizers/sentence_steps.hpp"
#include "models/tokenizers/table_tokenizer.hpp"
#include "models/tokenizers/utf8.hpp"

namespace slipstream {
namespace {

using nlohmann::json;

constexpr std::uint32_t none = 0xffffffff;

std::string byte_token(unsigned byte) {
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), "<0x%02X>", byte);
  return text.data();
}

class sentence_tokenizer : public table_tokenizer {
 public:
  sentence_tokenizer(const json &content, special_tokens special, tokenizer_files files,
                     const std::string &file)
      : table_tokenizer(std::move(special), std::move(files),
                        read_post_processor(member(content, "post_processor"), file)),
        steps_(read_sentence_steps(content, file)),
        vocabulary_(read_vocabulary(member(member(content, "model"), "vocab"), file)),
        merges_(read_merges(member(member(content, "model"), "merges"), vocabulary_, file)) {
    const json &model = member(content, "model");
    refuse_file_fields(content, file);
    refuse_model_fields(model, file);
    for (const auto &[text, id] : vocabulary_) place(id) = {text};
    place_bytes();
    read_unknown(model, file);
    ignore_merges_ = flag_of(model, "ignore_merges", false, "model", file);
    for (const added_token &token : special_.added) add(token, file);
  }

  std::vector<std::int64_t> encode(std::string_view text) const override {
    require_utf8(text);
    std::vector<std::int64_t> ids;
    const auto token = [&](std::int64_t id) { ids.push_back(id); };
    const auto part = [&](std::string_view raw) {
      const std::string normal = steps_.normal(raw);
      const bool at_start = raw.data() == text.data();
      normal_.split(
          normal,
          [&](std::string_view between) {
            for (const auto &word : steps_.words(between, at_start && between.data() == normal.data()))
              encode_word(word, ids);
          },
          token);
    };
    verbatim_.split(text, part, token);
    return ids;
  }

  std::string bytes_of(std::int64_t id, bool keep_special) const override {
    return piece_of(id, keep_special, false);
  }

  std::string decode(const std::vector<std::int64_t> &ids, bool keep_special) const override {
    std::string text, bytes;
    bool first = true;
    const auto flush = [&] {  // as the library does it: bytes that are no UTF-8 become a mark each
      bool whole = true;
      for (std::size_t at = 0; whole && at < bytes.size();) {
        const auto length = character_length(std::string_view(bytes).substr(at));
        whole = length > 0;
        at += length;
      }
      for (std::size_t i = 0; !whole && i < bytes.size(); ++i) text += "\xef\xbf\xbd";
      if (whole) text += bytes;
      bytes.clear();
    };
    for (const std::int64_t id : ids) {
      const piece *known = written(id, keep_special);
      if (!known) continue;
      if (!known->byte) flush();
      (known->byte ? bytes : text) += piece_of(id, keep_special, std::exchange(first, false));
    }
    flush();
    std::size_t spaces = 0;
    while (spaces < static_cast<std::size_t>(steps_.strip) && spaces < text.size() && text[spaces] == ' ')
      ++spaces;
    return text.substr(spaces);
  }

 private:
  void place_bytes() {
    for (unsigned byte = 0; byte < 256; ++byte) {
      const auto found = vocabulary_.find(byte_token(byte));
      bytes_[byte] = found == vocabulary_.end() ? none : found->second;
      if (bytes_[byte] != none && steps_.decodes_bytes)
        tokens_[bytes_[byte]] = {std::string(1, static_cast<char>(byte)), false, true};
    }
  }

  void read_unknown(const json &model, const std::string &file) {
    fuse_unknown_ = flag_of(model, "fuse_unk", false, "model", file);
    const json &name = member(model, "unk_token");
    if (name.is_null()) return;
    const auto found = name.is_string() ? vocabulary_.find(name.get<std::string>()) : vocabulary_.end();
    if (found == vocabulary_.end())
      refuse_field(file, "model.unk_token", shown(name) + " is not in the vocabulary");
    unknown_ = found->second;
  }

  void add(const added_token &token, const std::string &file) {
    piece &where = place(token.id);
    if (!where.text.empty() && where.text != token.content)
      refuse_field(file, "added_tokens", shown(json(token.content)) + " has the id of another token");
    where = {token.content, token.special, false};
    if (token.normalized)
      normal_.add(steps_.normal(token.content), token);
    else
      verbatim_.add(token.content, token);
  }

  // The symbols of a word before it is merged. A character without a token is written in its bytes; one that
  // lacks those too is unknown, and its token waits for the next known character (the library's own order).
  std::vector<std::uint32_t> symbols_of(std::string_view word) const {
    std::vector<std::uint32_t> symbols;
    bool waiting = false;
    const auto has_token = [&](char c) { return bytes_[static_cast<unsigned char>(c)] != none; };
    for (std::size_t length = 0; !word.empty(); word.remove_prefix(length)) {
      length = std::max<std::size_t>(character_length(word), 1);
      const std::string_view character = word.substr(0, length);
      const auto found = vocabulary_.find(std::string(character));
      if (found != vocabulary_.end()) {
        if (std::exchange(waiting, false)) symbols.push_back(unknown_);
        symbols.push_back(found->second);
      } else if (std::all_of(character.begin(), character.end(), has_token)) {
        for (const char c : character) symbols.push_back(bytes_[static_cast<unsigned char>(c)]);
      } else if (unknown_ == none) {
        throw input_error("the tokenizer has no token for \"" + std::string(character) +
                          "\"; use one whose vocabulary holds every byte");
      } else if (std::exchange(waiting, true) && !fuse_unknown_) {
        symbols.push_back(unknown_);
      }
    }
    if (waiting) symbols.push_back(unknown_);
    return symbols;
  }

  void encode_word(const std::string &word, std::vector<std::int64_t> &ids) const {
    if (const auto found = ignore_merges_ ? vocabulary_.find(word) : vocabulary_.end();
        found != vocabulary_.end())
      return ids.push_back(found->second);
    std::vector<std::uint32_t> symbols = symbols_of(word);
    merges_.apply(symbols);
    ids.insert(ids.end(), symbols.begin(), symbols.end());
  }

  // What a token adds to a text, or begins one with.
  std::string piece_of(std::int64_t id, bool keep_special, bool first) const {
    const piece *known = written(id, keep_special);
    if (!known) return {};
    std::string text = known->text;
    for (const auto &step : steps_.decoding)
      if (!known->byte) text = replaced(text, step.from, first && steps_.drops_first_marks ? "" : step.to);
    return text;
  }

  sentence_steps steps_;
  token_ids vocabulary_;
  merge_table merges_;
  std::array<std::uint32_t, 256> bytes_{};
  std::uint32_t unknown_ = none;
  bool fuse_unknown_ = false, ignore_merges_ = false;
  token_finder verbatim_, normal_;
};

}  // namespace

std::shared_ptr<const tokenizer> read_sentence_tokenizer(const json &content, special_tokens special,
                                                         tokenizer_files files, const std::string &file) {
  return std::make_shared<sentence_tokenizer>(content, std::move(special), std::move(files), file);
}

}  // namespace slipstream
