#include "models/tokenizers/character.hpp"

#include <algorithm>
#include <vector>

#include "models/error.hpp"
#include "models/files/json.hpp"
#include "models/files/mapping.hpp"

namespace slipstream {
namespace {

using nlohmann::json;

constexpr const char *any_character = "[\\s\\S]";  // the pre-tokenizer's pattern: each character apart

// Bytes of the UTF-8 character that starts at `text`, 0 when there is no valid one (RFC 3629).
std::size_t character_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  const bool overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
  const bool surrogate = first == 0xed && byte(1) > 0x9f, beyond = first == 0xf4 && byte(1) > 0x8f;
  return overlong || surrogate || beyond ? 0 : length;
}

std::string_view next_character(std::string_view text, std::size_t at) {
  const std::size_t length = character_length(text.substr(at));
  if (length == 0)
    throw input_error("the text is not valid UTF-8 at byte " + std::to_string(at) + "; re-encode it");
  return text.substr(at, length);
}

class character_tokenizer : public tokenizer {
 public:
  character_tokenizer(std::map<std::string, std::int64_t, std::less<>> characters, special_tokens special)
      : ids_(std::move(characters)), special_(std::move(special)) {
    for (const auto &[text, id] : ids_) place(text, id, false);
    for (const auto &[text, id] : special_.ids) place(text, id, true);
  }

  std::vector<std::int64_t> encode(std::string_view text) const override {
    std::vector<std::int64_t> ids;
    for (std::size_t at = 0; at < text.size();) {
      if (const auto *special = special_at(text.substr(at))) {
        ids.push_back(special->second);
        at += special->first.size();
        continue;
      }
      const std::string_view character = next_character(text, at);
      const auto found = ids_.find(character);
      if (found == ids_.end())
        throw input_error("the tokenizer has no id for the character \"" + std::string(character) +
                          "\"; leave it out or use a tokenizer that knows it");
      ids.push_back(found->second);
      at += character.size();
    }
    return ids;
  }

  std::string decode(const std::vector<std::int64_t> &ids, bool keep_special) const override {
    std::string text;
    for (const std::int64_t id : ids) {
      if (id < 0 || id >= vocab_size()) continue;  // a model may have more rows than its tokenizer has tokens
      const token &known = tokens_[static_cast<std::size_t>(id)];
      if (!known.special || keep_special) text += known.text;
    }
    return text;
  }

  std::int64_t vocab_size() const override { return static_cast<std::int64_t>(tokens_.size()); }
  std::int64_t eos() const override { return special_.eos; }
  std::int64_t pad() const override { return special_.pad; }
  std::int64_t bos() const override { return special_.bos; }

  void save(const std::filesystem::path &folder) const override {
    write_file(folder / "tokenizer.json", describe().dump(2));
    json config{{"tokenizer_class", "PreTrainedTokenizerFast"}, {"clean_up_tokenization_spaces", false}};
    const std::pair<const char *, std::int64_t> names[] = {
        {"bos_token", special_.bos}, {"eos_token", special_.eos}, {"pad_token", special_.pad}};
    for (const auto &[name, id] : names)
      if (id >= 0) config[name] = tokens_[static_cast<std::size_t>(id)].text;
    write_file(folder / "tokenizer_config.json", config.dump(2));
  }

 private:
  struct token {
    std::string text;
    bool special = false;
  };

  void place(const std::string &text, std::int64_t id, bool special) {
    tokens_.resize(std::max(tokens_.size(), static_cast<std::size_t>(id) + 1));
    tokens_[static_cast<std::size_t>(id)] = {text, special};
  }

  // The longest special token that the text starts with, if any.
  const std::pair<const std::string, std::int64_t> *special_at(std::string_view text) const {
    const std::pair<const std::string, std::int64_t> *longest = nullptr;
    for (const auto &each : special_.ids)
      if (text.starts_with(each.first) && (!longest || each.first.size() > longest->first.size()))
        longest = &each;
    return longest;
  }

  json describe() const {
    json added = json::array(), vocabulary = json::object();
    for (std::size_t id = 0; id < tokens_.size(); ++id) {
      if (tokens_[id].text.empty()) continue;
      vocabulary[tokens_[id].text] = id;
      if (tokens_[id].special)
        added.push_back({{"id", id},
                         {"content", tokens_[id].text},
                         {"single_word", false},
                         {"lstrip", false},
                         {"rstrip", false},
                         {"normalized", false},
                         {"special", true}});
    }
    return {{"version", "1.0"},
            {"truncation", nullptr},
            {"padding", nullptr},
            {"added_tokens", added},
            {"normalizer", nullptr},
            {"pre_tokenizer",
             {{"type", "Split"},
              {"pattern", {{"Regex", any_character}}},
              {"behavior", "Isolated"},
              {"invert", false}}},
            {"post_processor", nullptr},
            {"decoder", {{"type", "Fuse"}}},
            {"model", {{"type", "WordLevel"}, {"vocab", vocabulary}, {"unk_token", "<unk>"}}}};
  }

  std::map<std::string, std::int64_t, std::less<>> ids_;
  special_tokens special_;
  std::vector<token> tokens_;
};

}  // namespace

std::shared_ptr<const tokenizer> read_character_tokenizer(const json &content, special_tokens special,
                                                          const std::string &file) {
  const auto at = [&](const char *pointer) {
    const json::json_pointer path(pointer);
    return content.contains(path) ? content.at(path) : json();
  };
  if (at("/pre_tokenizer/type") != "Split" || at("/pre_tokenizer/pattern/Regex") != any_character ||
      at("/pre_tokenizer/behavior") != "Isolated" || at("/pre_tokenizer/invert") == true)
    throw input_error(
        file + ": error: pre_tokenizer: a WordLevel model is supported where it splits the text into " +
        "single characters (Split, \"" + any_character + "\", Isolated) only");
  if (!at("/normalizer").is_null() || !at("/post_processor").is_null())
    throw input_error(file + ": error: normalizer and post_processor of a WordLevel model must be null");
  const json vocabulary = at("/model/vocab");
  if (!vocabulary.is_object()) throw input_error(file + ": error: model.vocab: must be a table of tokens");
  std::map<std::string, std::int64_t, std::less<>> characters;
  for (const auto &[text, id] : vocabulary.items()) {
    if (!id.is_number_unsigned() || id > (1 << 24))
      throw input_error(file + ": error: model.vocab: \"" + text + "\" must have a whole number as id");
    if (special.ids.contains(text)) continue;
    if (text.empty() || character_length(text) != text.size())
      throw input_error(file + ": error: model.vocab: \"" + text + "\" is not a single character");
    characters.emplace(text, id.get<std::int64_t>());
  }
  return std::make_shared<character_tokenizer>(std::move(characters), std::move(special));
}

std::shared_ptr<const tokenizer> make_character_tokenizer(std::string_view alphabet) {
  const special_tokens special{{{"<pad>", 0}, {"<bos>", 1}, {"<eos>", 2}}, 2, 0, 1};
  std::map<std::string, std::int64_t, std::less<>> characters;
  auto next = static_cast<std::int64_t>(special.ids.size());
  for (std::size_t at = 0; at < alphabet.size();) {
    const std::string_view character = next_character(alphabet, at);
    if (characters.emplace(character, next).second) ++next;
    at += character.size();
  }
  return std::make_shared<character_tokenizer>(std::move(characters), special);
}

}  // namespace slipstream
