#include <array>

#include "models/error.hpp"
#include "models/files/json.hpp"
#include "models/tokenizers/character.hpp"
#include "models/tokenizers/tokenizer.hpp"

namespace slipstream {
namespace {

using nlohmann::json;

// One row a kind of tokenizer: model.type of tokenizer.json and its reader.
struct kind {
  const char *model_type;
  std::shared_ptr<const tokenizer> (*read)(const json &, special_tokens, const std::string &);
};
constexpr std::array kinds{kind{"WordLevel", read_character_tokenizer}};

std::map<std::string, std::int64_t> added_tokens(const json &content, const std::string &file) {
  std::map<std::string, std::int64_t> ids;
  const json added = content.value("added_tokens", json::array());
  for (const json &each : added.is_array() ? added : json::array()) {
    const bool good = each.is_object() && each.contains("content") && each["content"].is_string() &&
                      !each["content"].get<std::string>().empty() && each.contains("id") &&
                      each["id"].is_number_unsigned() && each["id"] <= (1 << 24);
    if (!good)
      throw input_error(file + ": error: added_tokens: each needs a content and a whole number as id");
    ids[each["content"].get<std::string>()] = each["id"].get<std::int64_t>();
  }
  return ids;
}

// The id of the token that `name` holds: its text, or a table with its text under "content"; -1 when null.
std::int64_t named_token(const json &config, const char *name, const std::map<std::string, std::int64_t> &ids,
                         const std::string &file) {
  json value = config.value(name, json());
  if (value.is_object()) value = value.value("content", json());
  if (value.is_null()) return -1;
  const auto found = value.is_string() ? ids.find(value.get<std::string>()) : ids.end();
  if (found == ids.end())
    throw input_error(file + ": error: " + name + ": " + value.dump() +
                      " is none of tokenizer.json's added_tokens");
  return found->second;
}

}  // namespace

std::shared_ptr<const tokenizer> load_tokenizer(const std::filesystem::path &folder) {
  const std::filesystem::path path = folder / "tokenizer.json",
                              config_path = folder / "tokenizer_config.json";
  const std::string file = path.string(), config_file = config_path.string();
  const json content = read_json(path);
  if (!content.is_object()) throw input_error(file + ": error: must hold a JSON object");
  special_tokens special{added_tokens(content, file)};
  if (std::filesystem::exists(config_path)) {
    const json config = read_json(config_path);
    if (!config.is_object()) throw input_error(config_file + ": error: must hold a JSON object");
    special.eos = named_token(config, "eos_token", special.ids, config_file);
    special.pad = named_token(config, "pad_token", special.ids, config_file);
    special.bos = named_token(config, "bos_token", special.ids, config_file);
  }
  const json::json_pointer type_field("/model/type");
  const json type = content.contains(type_field) ? content.at(type_field) : json();
  std::string supported;
  for (const kind &row : kinds) {
    if (type == row.model_type) return row.read(content, std::move(special), file);
    supported += (supported.empty() ? "" : ", ") + std::string(row.model_type);
  }
  throw input_error(file + ": error: model.type: " + type.dump() +
                    " is not supported; supported are: " + supported);
}

}  // namespace slipstream
