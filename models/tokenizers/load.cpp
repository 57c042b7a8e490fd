#include <array>

#include "models/error.hpp"
#include "models/files/json.hpp"
#include "models/files/model_files.hpp"
#include "models/tokenizers/bpe.hpp"
#include "models/tokenizers/character.hpp"
#include "models/tokenizers/fields.hpp"
#include "models/tokenizers/sentence_bpe.hpp"
#include "models/tokenizers/tokenizer.hpp"

namespace slipstream {
namespace {

using nlohmann::json;

// One row a kind of tokenizer: model.type of tokenizer.json and its reader.
struct kind {
  const char *model_type;
  std::shared_ptr<const tokenizer> (*read)(const json &, special_tokens, tokenizer_files,
                                           const std::string &);
};
std::shared_ptr<const tokenizer> read_bpe(const json &content, special_tokens special, tokenizer_files files,
                                          const std::string &file) {
  const bool characters = member(member(content, "model"), "byte_fallback") == true;
  return characters ? read_sentence_tokenizer(content, std::move(special), std::move(files), file)
                    : read_bpe_tokenizer(content, std::move(special), std::move(files), file);
}

constexpr std::array kinds{kind{"BPE", read_bpe}, kind{"WordLevel", read_character_tokenizer}};

json parse_table(const std::string &text, const std::string &file) {
  json content = parse_json(text, file);
  if (!content.is_object()) throw input_error(file + ": error: must hold a JSON object");
  return content;
}

token_names names_in(const tokenizer_files &files, const std::filesystem::path &where, const char *name) {
  const std::string file = model_text_name(where, name), *text = find_file(files, name);
  return {text ? parse_table(*text, file) : json(), file};
}

// Files of before tokenizers 0.10 do not say what their model is; its members tell.
json type_of_model(const json &model) {
  if (const json &type = member(model, "type"); !type.is_null()) return type;
  if (!member(model, "merges").is_null()) return "BPE";
  if (!member(model, "max_input_chars_per_word").is_null()) return "WordPiece";
  if (member(model, "vocab").is_array()) return "Unigram";
  return member(model, "vocab").is_object() ? json("WordLevel") : json();
}

}  // namespace

std::shared_ptr<const tokenizer> read_tokenizer(tokenizer_files files, const std::filesystem::path &where) {
  const std::string file = model_text_name(where, "tokenizer.json");
  const json content = parse_table(files.front().second, file);
  special_tokens special = read_special_tokens(content, file, names_in(files, where, "tokenizer_config.json"),
                                               names_in(files, where, "special_tokens_map.json"));
  const json type = type_of_model(member(content, "model"));
  std::string supported;
  for (const kind &row : kinds) {
    if (type == row.model_type) return row.read(content, std::move(special), std::move(files), file);
    supported += (supported.empty() ? "" : ", ") + std::string(row.model_type);
  }
  refuse_field(file, "model.type", shown(type) + " is not supported; supported are: " + supported);
}

std::shared_ptr<const tokenizer> load_tokenizer(const std::filesystem::path &folder) {
  return read_tokenizer(read_tokenizer_files(folder), folder);
}

}  // namespace slipstream
