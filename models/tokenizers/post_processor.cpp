#include "models/tokenizers/post_processor.hpp"

#include "models/tokenizers/fields.hpp"

namespace slipstream {
namespace {

using nlohmann::json;

std::vector<std::int64_t> ids_of(const json &content, const json &name, const std::string &field,
                                 const std::string &file) {
  if (!name.is_string()) refuse_field(file, field, "a SpecialToken must have an id");
  const json &entry = member(member(content, "special_tokens"), name.get_ref<const std::string &>());
  std::vector<std::int64_t> ids;
  for (const json &id : array_of(entry, "ids", field + ".special_tokens", file)) {
    if (!id.is_number_unsigned() || id > 1 << 24)
      refuse_field(file, field + ".special_tokens", "ids must be whole numbers, not " + shown(id));
    ids.push_back(id.get<std::int64_t>());
  }
  return ids;
}

frame read_template(const json &content, const std::string &field, const std::string &file) {
  frame result;
  int texts = 0;
  for (const json &part : array_of(content, "single", field, file)) {
    const json &token = member(part, "SpecialToken"), &text = member(part, "Sequence");
    if (token.is_object() == text.is_object())
      refuse_field(file, field + ".single", "each part must be one of SpecialToken and Sequence");
    if (text.is_object()) {
      if (member(text, "id") != "A") refuse_field(file, field + ".single", "its text must be A");
      ++texts;
      continue;
    }
    auto &side = texts == 0 ? result.before : result.after;
    const auto ids = ids_of(content, member(token, "id"), field, file);
    side.insert(side.end(), ids.begin(), ids.end());
  }
  if (texts != 1) refuse_field(file, field + ".single", "must hold the text once");
  return result;
}

frame read(const json &content, const std::string &field, const std::string &file) {
  const std::string type = type_of(content, field, file);
  if (type == "ByteLevel") return {};  // sets offsets only
  if (type == "TemplateProcessing") return read_template(content, field, file);
  if (type != "Sequence")
    refuse_field(file, field + ".type",
                 shown(type) + " is not supported; supported are: ByteLevel, Sequence, TemplateProcessing");
  frame all;
  const json &parts = array_of(content, "processors", field, file);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const frame outer = read(parts[i], field + ".processors[" + std::to_string(i) + "]", file);
    all.before.insert(all.before.begin(), outer.before.begin(), outer.before.end());
    all.after.insert(all.after.end(), outer.after.begin(), outer.after.end());
  }
  return all;
}

}  // namespace

frame read_post_processor(const json &content, const std::string &file) {
  return content.is_null() ? frame{} : read(content, "post_processor", file);
}

}  // namespace slipstream
