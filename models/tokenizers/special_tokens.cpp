#include "models/tokenizers/special_tokens.hpp"

#include <algorithm>
#include <set>

#include "models/tokenizers/bpe_fields.hpp"
#include "models/tokenizers/fields.hpp"

namespace slipstream {
namespace {

using nlohmann::json;

added_token read_added(const json &content, const std::string &field, std::size_t tokens,
                       const std::string &file) {
  const json &text = member(content, "content"), &id = member(content, "id");
  if (!text.is_string() || text == "" || !id.is_number_unsigned())
    refuse_field(file, field, "must have a content and a whole number as id");
  if (id > highest_id(tokens)) refuse_field(file, field, "has an id far beyond the number of tokens");
  if (flag_of(content, "single_word", false, field, file))
    refuse_field(file, field + ".single_word", "is not supported; set it to false");
  added_token token;
  token.content = text.get<std::string>();
  token.id = id.get<std::int64_t>();
  token.special = flag_of(content, "special", false, field, file);
  token.normalized = flag_of(content, "normalized", !token.special, field, file);
  token.lstrip = flag_of(content, "lstrip", false, field, file);
  token.rstrip = flag_of(content, "rstrip", false, field, file);
  return token;
}

std::vector<added_token> read_all(const json &content, const std::string &file) {
  std::vector<added_token> all;
  if (member(content, "added_tokens").is_null()) return all;
  const json &list = array_of(content, "added_tokens", "top level", file);
  const json &vocabulary = member(member(content, "model"), "vocab");
  std::set<std::string> names;
  std::set<std::int64_t> ids;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string field = "added_tokens[" + std::to_string(i) + "]";
    all.push_back(read_added(list[i], field, list.size() + vocabulary.size(), file));
    if (!names.insert(all.back().content).second || !ids.insert(all.back().id).second)
      refuse_field(file, field, shown(json(all.back().content)) + " or its id is given twice");
    const json &known = member(vocabulary, all.back().content);
    if (!known.is_null() && known != all.back().id)
      refuse_field(file, field, shown(json(all.back().content)) + " has another id in model.vocab");
  }
  return all;
}

// The id of the token that `name` holds: its text, or a table with its text under "content"; -1 when null. A
// token of the vocabulary that is not an added one becomes one, as Hugging Face's loader does it.
std::int64_t named_token(const json &config, const char *name, special_tokens &special,
                         const json &vocabulary, const std::string &file) {
  const json &value = member(config, name);
  const json &text = value.is_object() ? member(value, "content") : value;
  if (text.is_null()) return -1;
  if (!text.is_string()) refuse_field(file, name, "must be a token, not " + shown(text));
  const auto content = text.get<std::string>();
  if (const added_token *found = special.find(content)) return found->id;
  const json &known = member(vocabulary, content);
  if (!known.is_number_unsigned() || known > highest_id(vocabulary.size()))
    refuse_field(file, name, shown(text) + " is none of tokenizer.json's tokens");
  added_token token;
  token.content = content;
  token.id = known.get<std::int64_t>();
  token.special = true;
  special.added.push_back(token);
  return token.id;
}

}  // namespace

const added_token *special_tokens::find(const std::string &content) const {
  const auto found = std::find_if(added.begin(), added.end(),
                                  [&](const added_token &token) { return token.content == content; });
  return found == added.end() ? nullptr : &*found;
}

special_tokens padding_and_ends() {
  special_tokens special;
  for (const char *name : {"<pad>", "<bos>", "<eos>"}) {
    added_token token;
    token.content = name;
    token.id = static_cast<std::int64_t>(special.added.size());
    token.special = true;
    special.added.push_back(token);
  }
  special.pad = 0;
  special.bos = 1;
  special.eos = 2;
  return special;
}

special_tokens read_special_tokens(const json &content, const std::string &file, const token_names &config,
                                   const token_names &map) {
  special_tokens special{read_all(content, file)};
  const json &vocabulary = member(member(content, "model"), "vocab");
  const auto named = [&](const char *name) {
    const auto &where = member(config.content, name).is_null() ? map : config;
    return named_token(where.content, name, special, vocabulary, where.file);
  };
  special.eos = named("eos_token");
  special.pad = named("pad_token");
  special.bos = named("bos_token");
  return special;
}

}  // namespace slipstream
