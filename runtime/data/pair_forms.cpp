#include <algorithm>

#include "runtime/data/dialogue_parts.hpp"
#include "runtime/data/forms.hpp"

namespace slipstream {
namespace {

bool same(const dialogue &a, const dialogue &b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto &x, const auto &y) {
    return x.role == y.role && x.content == y.content && x.fields == y.fields;
  });
}

/// Checks that "prompt", where it is given, agrees with the dialogue that the answers begin with.
void check_prompt(const row_reader &row, const dialogue &turns) {
  if (!row.has("prompt")) return;
  const bool agrees =
      row.is_list("prompt")
          ? same(question_turns(row, "prompt"), turns)
          : std::any_of(turns.begin(), turns.end(), [&, text = row.text("prompt")](const auto &turn) {
              return turn.role == "user" && turn.content == text;
            });
  if (!agrees)
    row.fail(row.named("prompt") + " is another one than the dialogues begin with; leave one of the two out");
}

/// Returns what leads to the answers, for answers that do not begin with it.
dialogue separate_question(const row_reader &row) {
  return row.is_list("conversations") ? question_turns(row, "conversations") : question_turns(row, "prompt");
}

/// Reads answers that are lists of messages. What leads to them is their common beginning, or a field of its
/// own.
void read_message_pair(const row_reader &row, example &result) {
  dialogue other;
  result.response = take_answer(row, "chosen", result.turns);
  result.rejected = take_answer(row, "rejected", other);
  if (!same(result.turns, other))
    row.fail(row.named("chosen") + " and " + row.named("rejected") +
             " must be the same dialogue but for the last turn");
  if (result.turns.empty())
    result.turns = separate_question(row);
  else
    check_prompt(row, result.turns);
}

/// Splits texts of whole dialogues that are alike but for the last answer, as HH-RLHF has them. Other texts
/// have no prompt.
void split_dialogues(const row_reader &row, example &result) {
  constexpr std::string_view human = "\n\nHuman:", assistant = "\n\nAssistant:";
  auto &chosen = result.response, &rejected = result.rejected;
  if (!chosen.starts_with(human) || !rejected.starts_with(human)) return;
  const auto differ = std::mismatch(chosen.begin(), chosen.end(), rejected.begin(), rejected.end());
  const std::string common(chosen.begin(), differ.first);
  const auto at = common.rfind(assistant);
  if (at == std::string::npos)
    row.fail("the dialogues have no \"\\n\\nAssistant:\" in common; they must be alike up to the answer");
  result.prompt = common.substr(0, at + assistant.size());
  chosen.erase(0, result.prompt.size());
  rejected.erase(0, result.prompt.size());
}

}  // namespace

example read_pair(const row_reader &row) {
  example result;
  if (is_dialogue(row, "chosen")) {
    read_message_pair(row, result);
  } else {
    result.response = row.text("chosen");
    result.rejected = row.text("rejected");
    if (row.is_list("prompt") || row.is_list("conversations"))
      result.turns = separate_question(row);
    else if (row.has("prompt"))
      result.prompt = row.text("prompt");
    else
      split_dialogues(row, result);
  }
  complete_dialogue(row, row.has("prompt") ? "prompt" : "chosen", result);
  result.answer = row.answer();
  result.tie = row.truth("tie");
  return result;
}

example read_ranking(const row_reader &row) {
  example result;
  result.ranking = row.texts("ranking");
  if (result.ranking.size() < 2)
    row.fail(row.named("ranking") + " must list two answers or more, from the best to the worst");
  read_question_of(row, result);
  complete_dialogue(row, "prompt", result);
  result.answer = row.answer();
  return result;
}

}  // namespace slipstream
