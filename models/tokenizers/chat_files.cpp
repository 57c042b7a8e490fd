#include <algorithm>

#include "models/error.hpp"
#include "models/files/json.hpp"
#include "models/files/model_files.hpp"
#include "models/templates/chat_program.hpp"
#include "models/tokenizers/fields.hpp"

namespace slipstream {
namespace {

using named_templates = std::vector<std::pair<std::string, jinja_template>>;

// chat_templates/NAME.jinja beside the default one.
void add_files(named_templates &all, const std::filesystem::path &folder) {
  if (!std::filesystem::is_directory(folder)) return;
  for (const auto &entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".jinja")
      all.emplace_back(entry.path().stem().string(),
                       jinja_template::parse(read_text(entry.path()), entry.path().string()));
}

// tokenizer_config.json holds one template, or several with names.
void add_config(named_templates &all, const nlohmann::json &found, const std::string &where) {
  if (found.is_null()) return;
  if (found.is_string()) {
    all.emplace_back("default", jinja_template::parse(found.get<std::string>(), where));
    return;
  }
  if (!found.is_array())
    throw input_error(where + ": error: must be text, or a list of templates with names");
  for (const nlohmann::json &each : found) {
    const nlohmann::json &name = member(each, "name"), &text = member(each, "template");
    if (!name.is_string() || !text.is_string())
      throw input_error(where + ": error: each of several templates needs a name and a template, both texts");
    all.emplace_back(name.get<std::string>(),
                     jinja_template::parse(text.get<std::string>(), where + " " + name.get<std::string>()));
  }
}

nlohmann::json config_of(const std::filesystem::path &folder, const char *name) {
  if (!has_model_text(folder, name)) return {};
  return parse_json(read_model_text(folder, name), model_text_name(folder, name));
}

// A file of its own comes before tokenizer_config.json, as in transformers.
named_templates read_all(const std::filesystem::path &folder) {
  named_templates all;
  const auto file = folder / "chat_template.jinja";
  const char *config = "tokenizer_config.json";
  if (std::filesystem::exists(file))
    all.emplace_back("default", jinja_template::parse(read_text(file), file.string()));
  add_files(all, folder / "chat_templates");
  if (all.empty())
    add_config(all, member(config_of(folder, config), "chat_template"),
               model_text_name(folder, config) + ": chat_template");
  return all;
}

const jinja_template *named(const named_templates &all, const std::string &name) {
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const auto &each) { return each.first == name; });
  return found == all.end() ? nullptr : &found->second;
}

// The tokens that templates name, by special_tokens_map.json and, before it, tokenizer_config.json.
nlohmann::ordered_json tokens_of(const std::filesystem::path &folder) {
  nlohmann::ordered_json tokens = nlohmann::ordered_json::object();
  for (const char *file : {"special_tokens_map.json", "tokenizer_config.json"}) {
    if (folder.empty()) break;
    const nlohmann::json config = config_of(folder, file);
    for (const char *name :
         {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}) {
      const nlohmann::json &value = member(config, name);
      const nlohmann::json &text = value.is_object() ? member(value, "content") : value;
      if (text.is_string()) tokens[name] = text.get<std::string>();
    }
  }
  return tokens;
}

chat_template made(jinja_template plain, const jinja_template *with_tools,
                   const std::filesystem::path &folder) {
  chat_template style;
  style.name = plain.where();
  auto program = std::make_shared<chat_program>();
  program->plain = std::move(plain);
  if (with_tools) program->with_tools = *with_tools;
  program->tokens = tokens_of(folder);
  style.program = std::move(program);
  return style;
}

}  // namespace

std::optional<chat_template> load_chat(const std::filesystem::path &folder, const std::string &name) {
  const named_templates all = read_all(folder);
  if (all.empty() && name.empty()) return {};
  const jinja_template *found = named(all, name.empty() ? "default" : name);
  if (!found && name.empty() && all.size() == 1) found = &all.front().second;
  if (found) return made(*found, name.empty() ? named(all, "tool_use") : nullptr, folder);
  std::string names;
  for (const auto &[each, text] : all) names += (names.empty() ? "" : ", ") + each;
  throw input_error(folder.string() + ": chat_template: error: there are several (" + names +
                    "), but none is named " + (name.empty() ? "default" : name) +
                    "; name one of them: chat = \"template:NAME\"");
}

chat_template load_chat_file(const std::filesystem::path &file, const std::filesystem::path &folder) {
  return made(jinja_template::parse(read_text(file), file.string()), nullptr, folder);
}

bool asks_date(const chat_template &style) {
  return style.program && (style.program->plain.asks_date() ||
                           (style.program->with_tools && style.program->with_tools->asks_date()));
}

void set_date(chat_template &style, const std::string &moment) {
  if (!style.program) return;
  auto dated = std::make_shared<chat_program>(*style.program);
  dated->moment = moment;
  style.program = std::move(dated);
}

}  // namespace slipstream
