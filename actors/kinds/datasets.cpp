#include "actors/kinds/datasets.hpp"

#include <algorithm>

#include "models/error.hpp"
#include "runtime/data/data_files.hpp"
#include "runtime/topology/suggest.hpp"

namespace slipstream {
dataset read_dataset(preflight &checks, const dataset_keys &keys) {
  auto data = read_data_files(find_data_files(keys.files, checks.graph().data.folder), keys.options);
  if (!data.unread.empty()) checks.note(data.name() + ": fields that are not read: " + listed(data.unread));
  return data;
}

text_style style_for(preflight &checks, const std::string &name, const dataset_keys &keys,
                     const dataset &data) {
  const auto &model = checks.models().describe(name);
  text_style style{model.text, find_chat("plain")};
  const auto text_folder = model.folder.empty() ? model.folder : tokenizer_folder(model.folder);
  const bool dialogues =
      std::any_of(data.rows.begin(), data.rows.end(), [](const auto &row) { return !row.turns.empty(); });
  if (keys.chat)
    style.chat = *keys.chat;
  else if (!keys.chat_file.empty())
    style.chat = load_chat_file(keys.chat_file, text_folder);
  else if (dialogues && (!model.folder.empty() || !keys.chat_name.empty()))
    style.chat = load_chat(text_folder, keys.chat_name).value_or(style.chat);
  if (asks_date(style.chat)) set_date(style.chat, checks.date());
  if (dialogues)
    if (const auto said = checks.models().stop_at_answer_end(name, style.chat); !said.empty())
      checks.note(said);
  return style;
}

void fail_long(const std::string &place, std::int64_t length, std::int64_t context, bool sampled) {
  throw input_error(place + ": error: the line needs " + std::to_string(length) + " tokens" +
                    (sampled ? " (max_new_tokens included)" : "") + ", the model's context is " +
                    std::to_string(context) + "; shorten the line, " +
                    (sampled ? "lower max_new_tokens, " : "") +
                    "enlarge max_positions, or write too_long = " + "\"drop\" or \"truncate\"");
}

row_format format_of(example_form form) {
  switch (form) {
    case example_form::pair:
      return row_format::pairs;
    case example_form::rated:
    case example_form::labelled:
      return row_format::scored;
    case example_form::ranking:
      return row_format::rankings;
    case example_form::demonstration:
      break;
  }
  return row_format::demonstrations;
}

void check_judgement(const dataset &data, const example &row, const actor_config &learner) {
  const auto &facts = learner.facts;
  const auto place = data.place(row.row) + ": error: ";
  if (facts.lines == example_form::pair && row.tie && !facts.learns_ties)
    throw input_error(place + "the pair is a tie, which [actors." + learner.name +
                      "] cannot learn from; leave it out, or learn a reward model with loss = "
                      "\"reward_pairs\" and nu = 1");
  if (facts.lines == example_form::labelled && row.score != 0 && row.score != 1)
    throw input_error(place + "the answer is rated " + std::to_string(row.score) + ", but [actors." +
                      learner.name + "] learns labels, 1 (good) or 0 (bad); use loss = \"reward_scores\"");
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

}  // namespace slipstream
