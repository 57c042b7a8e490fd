#include "runtime/kinds/dataset_keys.hpp"

#include <algorithm>

#include "models/error.hpp"
#include "runtime/topology/suggest.hpp"

namespace slipstream {
namespace {

std::vector<std::string> format_choices() {
  std::vector<std::string> names{"auto"};
  for (const auto &format : data_formats()) names.emplace_back(format.name);
  return names;
}

/// `fields` = { prompt = "text" }: ours to the file's.
field_names read_fields(settings &s) {
  field_names names;
  const auto *table = s.find("fields");
  if (!table) return names;
  if (!table->as_table()) s.fail("fields", "fields is a table, such as { prompt = \"text\" }");
  const auto known = data_fields();
  settings entries(*table);
  for (const auto &entry : *table->as_table()) {
    if (std::find(known.begin(), known.end(), entry.key) == known.end())
      fail_at(entry.at, "fields: \"" + entry.key + "\" is not a field that is read." +
                            did_you_mean(entry.key, known) + " There are " + listed(known));
    names[entry.key] = entries.required_text(entry.key);
  }
  return names;
}

/// `user = ["before", "after"]`; empty when the role is absent.
std::optional<chat_role> read_role(settings &pieces, const std::string &role) {
  const auto *value = pieces.find(role);
  if (!value) return {};
  const auto *both = value->as_array();
  if (!both || both->size() != 2 || !(*both)[0].as_text() || !(*both)[1].as_text())
    pieces.fail(role,
                role + " is what stands before and after its turns, as in [\"<|" + role + "|>\", \"\\n\"]");
  return chat_role{*(*both)[0].as_text(), *(*both)[1].as_text()};
}

chat_template read_pieces(const node &table) {
  settings pieces(table);
  chat_template style;
  style.name = "chat of the topology";
  for (const char *role : {"system", "user", "assistant"})
    if (const auto given = read_role(pieces, role)) style.roles[role] = *given;
  for (const char *role : {"user", "assistant"})
    if (style.roles.count(role) == 0)
      pieces.fail(role, std::string(role) + " is missing; add a line such as " + role + " = [\"<|" + role +
                            "|>\", \"\\n\"]");
  style.start = pieces.text("start", "");
  style.answer_end = pieces.text("answer_end", "");
  style.open_answer = pieces.text("open_answer", style.roles["assistant"].before);
  style.trim = pieces.flag("trim", false);
  pieces.finish();
  return style;
}

/// The name of a built-in template, its pieces, a file, or the name of one of the model's own.
void read_chat(settings &s, dataset_keys &keys) {
  constexpr std::string_view own = "template:";
  const auto *value = s.find("chat");
  if (!value) return;
  if (value->as_table()) {
    keys.chat = read_pieces(*value);
    return;
  }
  try {
    const auto text = s.required_text("chat");
    if (text.ends_with(".jinja"))
      keys.chat_file = text;
    else if (text.starts_with(own))
      keys.chat_name = text.substr(own.size());
    else
      keys.chat = find_chat(text);
  } catch (const input_error &problem) {
    if (!value->as_text()) throw;
    s.fail("chat", problem.what());
  }
}

}  // namespace

dataset_keys read_dataset_keys(settings &s) {
  dataset_keys keys;
  keys.files = s.required_texts("dataset");
  if (std::count(keys.files.begin(), keys.files.end(), "") > 0)
    s.fail("dataset", "dataset holds an empty name; name a file, as in \"data.jsonl\"");
  keys.options.format = s.choice("format", format_choices());
  if (keys.options.format == "auto") keys.options.format.clear();
  keys.options.fields = read_fields(s);
  read_chat(s, keys);
  return keys;
}

too_long read_too_long(settings &s) {
  const auto choice = s.choice("too_long", {"error", "drop", "truncate"});
  if (choice == "drop") return too_long::drop;
  return choice == "truncate" ? too_long::truncate : too_long::error;
}

void tell_dataset(const dataset_keys &keys, actor_facts &facts) {
  facts.datasets = keys.files;
  facts.chat = keys.chat_file;
}

}  // namespace slipstream
