#include "models/tokenizers/bpe_fields.hpp"

#include <vector>

#include "models/tokenizers/fields.hpp"

namespace slipstream {
namespace {

using nlohmann::json;

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

token_ids read_vocabulary(const json &content, const std::string &file) {
  if (!content.is_object() || content.empty()) refuse_field(file, "model.vocab", "must be a table of tokens");
  token_ids vocabulary;
  std::vector<bool> taken;
  vocabulary.reserve(content.size());
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
    vocabulary.emplace(text, number);
  }
  return vocabulary;
}

merge_table read_merges(const json &content, const token_ids &vocabulary, const std::string &file) {
  if (!content.is_array()) refuse_field(file, "model.merges", "must be a list, not " + shown(content));
  std::vector<merge_table::merge> merges;
  merges.reserve(content.size());
  for (std::size_t rank = 0; rank < content.size(); ++rank) {
    const auto [left, right] = parts_of(content[rank], rank, file);
    const auto id_of = [&](const std::string &token) {
      const auto found = vocabulary.find(token);
      if (found == vocabulary.end())
        refuse_field(file, "model.merges[" + std::to_string(rank) + "]",
                     shown(json(token)) + " is not in the vocabulary");
      return found->second;
    };
    merges.push_back({id_of(left), id_of(right), id_of(left + right)});
  }
  return merge_table(merges);
}

void refuse_model_fields(const json &model, const std::string &file) {
  const json &dropout = member(model, "dropout");
  if (!dropout.is_null() && dropout != 0)
    refuse_field(file, "model.dropout", shown(dropout) + " is not supported; set it to null");
  for (const char *name : {"continuing_subword_prefix", "end_of_word_suffix"})
    if (const json &value = member(model, name); !value.is_null() && value != "")
      refuse_field(file, "model." + std::string(name), shown(value) + " is not supported; it must be null");
}

void refuse_file_fields(const json &content, const std::string &file) {
  for (const char *name : {"truncation", "padding"})
    if (!member(content, name).is_null()) refuse_field(file, name, "is not supported; set it to null");
}

}  // namespace slipstream
