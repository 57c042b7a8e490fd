#include "models/tokenizers/fields.hpp"

#include "models/error.hpp"

namespace slipstream {

using nlohmann::json;

void refuse_field(const std::string &file, const std::string &field, const std::string &message) {
  throw input_error(file + ": error: " + field + ": " + message);
}

const json &member(const json &content, std::string_view name) {
  static const json nothing;
  if (!content.is_object()) return nothing;
  const auto found = content.find(name);
  return found == content.end() ? nothing : *found;
}

std::string shown(const json &value) {
  if (value.is_object()) return "a table";
  if (value.is_array()) return "a list";
  constexpr std::size_t most = 80;
  std::string text = value.dump(-1, ' ', true);  // ASCII only: it may be cut anywhere
  if (text.size() > most) text = text.substr(0, most) + "...";
  return text;
}

std::string type_of(const json &content, const std::string &field, const std::string &file) {
  const json &type = member(content, "type");
  if (!type.is_string()) refuse_field(file, field, "must be a table with a \"type\"");
  return type.get<std::string>();
}

bool flag_of(const json &content, const char *name, bool otherwise, const std::string &field,
             const std::string &file) {
  const json &value = member(content, name);
  if (value.is_null()) return otherwise;
  if (!value.is_boolean())
    refuse_field(file, field + "." + name, "must be true or false, not " + shown(value));
  return value.get<bool>();
}

const json &array_of(const json &content, std::string_view name, std::string_view field,
                     std::string_view file) {
  const json &value = member(content, name);
  if (!value.is_array())
    refuse_field(std::string(file), std::string(field) + "." + std::string(name),
                 "must be a list, not " + shown(value));
  return value;
}

}  // namespace slipstream
