#include "actors/kinds/dataset_keys.hpp"

#include <algorithm>

#include "models/error.hpp"
#include "models/objectives/rows.hpp"
#include "runtime/data/data_files.hpp"
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

dataset read_dataset(preflight &checks, const dataset_keys &keys) {
  auto data = read_data_files(find_data_files(keys.files, checks.graph().data.folder), keys.options);
  if (!data.unread.empty()) checks.note(data.name() + ": fields that are not read: " + listed(data.unread));
  return data;
}

text_style style_for(preflight &checks, const model_description &model, const dataset_keys &keys,
                     const dataset &data) {
  text_style style{model.text, find_chat("plain")};
  const bool dialogues =
      std::any_of(data.rows.begin(), data.rows.end(), [](const auto &row) { return !row.turns.empty(); });
  if (keys.chat)
    style.chat = *keys.chat;
  else if (!keys.chat_file.empty())
    style.chat = load_chat_file(keys.chat_file, model.folder);
  else if (dialogues && (!model.folder.empty() || !keys.chat_name.empty()))
    style.chat = load_chat(model.folder, keys.chat_name).value_or(style.chat);
  if (asks_date(style.chat)) set_date(style.chat, checks.date());
  return style;
}

too_long read_too_long(settings &s) {
  const auto choice = s.choice("too_long", {"error", "drop", "truncate"});
  if (choice == "drop") return too_long::drop;
  return choice == "truncate" ? too_long::truncate : too_long::error;
}

void fail_long(const std::string &place, std::int64_t length, std::int64_t context, bool sampled) {
  throw input_error(place + ": error: the line needs " + std::to_string(length) + " tokens" +
                    (sampled ? " (max_new_tokens included)" : "") + ", the model's context is " +
                    std::to_string(context) + "; shorten the line, " +
                    (sampled ? "lower max_new_tokens, " : "") +
                    "enlarge max_positions, or write too_long = " + "\"drop\" or \"truncate\"");
}

std::optional<sample_group> fitting_samples(const dataset &data, const example &row, example_form form,
                                            const text_style &style, std::int64_t context, too_long rule) {
  sample_group group;
  try {
    group = example_samples(row, form, style);
  } catch (const input_error &problem) {
    throw input_error(data.place(row.row) + ": error: " + problem.what());
  }
  std::int64_t length = 0;
  for (const auto &entry : group.samples)
    length = std::max(length, static_cast<std::int64_t>(entry.tokens.size()));
  if (length <= context) return group;
  if (rule == too_long::drop) return {};
  if (rule == too_long::error || !shorten(group, context, form != example_form::demonstration))
    fail_long(data.place(row.row), length, context, false);
  return group;
}

void note_dropped(preflight &checks, const actor_config &self, const dataset &data, std::size_t kept,
                  std::int64_t context) {
  const auto all = data.rows.size();
  if (kept == 0)
    throw input_error(data.name() + ": error: all lines are longer than the model's context of " +
                      std::to_string(context) + " tokens; enlarge max_positions or write shorter lines");
  if (kept < all)
    checks.note("[actors." + self.name + "] too_long = \"drop\": " + std::to_string(all - kept) + " of " +
                std::to_string(all) + " lines of " + data.name() + " are left out");
}

example_form form_for(const actor_config &learner) {
  switch (find_objective(text_key(learner, "loss")).kind) {
    case input_kind::score_pairs:
    case input_kind::preference_pairs:
      return example_form::pair;
    case input_kind::scores:
      return example_form::rated;
    default:
      return example_form::demonstration;
  }
}

}  // namespace slipstream
