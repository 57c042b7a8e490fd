#include "models/tokenizers/character.hpp"

#include <algorithm>
#include <map>
#include <vector>

#include "models/error.hpp"
#include "models/tokenizers/bpe_fields.hpp"
#include "models/tokenizers/table_tokenizer.hpp"
#include "models/tokenizers/utf8.hpp"

namespace slipstream {
namespace {

using nlohmann::json;

constexpr const char *any_character = "[\\s\\S]";  // the pre-tokenizer's pattern: each character apart

std::string_view next_character(std::string_view text, std::size_t at) {
  const std::size_t length = character_length(text.substr(at));
  if (length == 0)
    throw input_error("the text is not valid UTF-8 at byte " + std::to_string(at) + "; re-encode it");
  return text.substr(at, length);
}

class character_tokenizer : public table_tokenizer {
 public:
  character_tokenizer(std::map<std::string, std::int64_t, std::less<>> characters, special_tokens special,
                      tokenizer_files files)
      : table_tokenizer(std::move(special), std::move(files)), ids_(std::move(characters)) {
    for (const auto &[text, id] : ids_) place(id) = {text};
    for (const added_token &token : special_.added) place(token.id) = {token.content, true};
    if (files_.empty()) files_ = describe_files();
  }

  std::vector<std::int64_t> encode(std::string_view text) const override {
    std::vector<std::int64_t> ids;
    for (std::size_t at = 0; at < text.size();) {
      if (const added_token *special = special_at(text.substr(at))) {
        ids.push_back(special->id);
        at += special->content.size();
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
    for (const std::int64_t id : ids) text += bytes_of(id, keep_special);
    return text;
  }

 private:
  // The longest special token that the text starts with, if any.
  const added_token *special_at(std::string_view text) const {
    const added_token *longest = nullptr;
    for (const added_token &each : special_.added)
      if (text.starts_with(each.content) && (!longest || each.content.size() > longest->content.size()))
        longest = &each;
    return longest;
  }

  tokenizer_files describe_files() const {
    json config{{"tokenizer_class", "PreTrainedTokenizerFast"}, {"clean_up_tokenization_spaces", false}};
    const std::pair<const char *, std::int64_t> names[] = {
        {"bos_token", special_.bos}, {"eos_token", special_.eos}, {"pad_token", special_.pad}};
    for (const auto &[name, id] : names) config[name] = tokens_[static_cast<std::size_t>(id)].text;
    return {{"tokenizer.json", describe().dump(2)}, {"tokenizer_config.json", config.dump(2)}};
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
};

}  // namespace

std::shared_ptr<const tokenizer> read_character_tokenizer(const json &content, special_tokens special,
                                                          tokenizer_files files, const std::string &file) {
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
  for (const added_token &token : special.added)
    if (token.lstrip || token.rstrip)
      throw input_error(file + ": error: added_tokens: lstrip and rstrip of a WordLevel model must be false");
  std::map<std::string, std::int64_t, std::less<>> characters;
  for (const auto &[text, id] : vocabulary.items()) {
    if (!id.is_number_unsigned())
      throw input_error(file + ": error: model.vocab: \"" + text + "\" must have a whole number as id");
    if (id > highest_id(vocabulary.size()))
      throw input_error(file + ": error: model.vocab: \"" + text +
                        "\" has an id far beyond the number of tokens");
    if (special.find(text)) continue;
    if (text.empty() || character_length(text) != text.size())
      throw input_error(file + ": error: model.vocab: \"" + text + "\" is not a single character");
    characters.emplace(text, id.get<std::int64_t>());
  }
  return std::make_shared<character_tokenizer>(std::move(characters), std::move(special), std::move(files));
}

std::shared_ptr<const tokenizer> make_character_tokenizer(std::string_view alphabet) {
  const special_tokens special = padding_and_ends();
  std::map<std::string, std::int64_t, std::less<>> characters;
  auto next = static_cast<std::int64_t>(special.added.size());
  for (std::size_t at = 0; at < alphabet.size();) {
    const std::string_view character = next_character(alphabet, at);
    if (characters.emplace(character, next).second) ++next;
    at += character.size();
  }
  return std::make_shared<character_tokenizer>(std::move(characters), special, tokenizer_files{});
}

}  // namespace slipstream
