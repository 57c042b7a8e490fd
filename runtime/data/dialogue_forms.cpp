#include <fmt/format.h>

#include "runtime/data/dialogue_parts.hpp"
#include "runtime/data/forms.hpp"

namespace slipstream {
namespace {

example read_dialogue(const row_reader &row, std::string_view field) {
  example result;
  result.turns = row.messages(field);
  if (const auto system = row.text_or_nothing("system"); !system.empty()) {
    if (result.turns.front().role == "system")
      row.fail(fmt::format("{} stands beside {}, which begins with a system's turn; keep one of the two",
                           row.named("system"), row.named(field)));
    result.turns.insert(result.turns.begin(), {"system", system});
  }
  complete_dialogue(row, field, result);
  result.answer = row.answer();
  return result;
}

/// Reads one answer, which is a text or a message, and its question, which is a text or a dialogue.
void read_answer(const row_reader &row, std::string_view field, example &result) {
  if (!is_dialogue(row, field)) {
    result.response = row.text(field);
    read_question_of(row, result);
    return;
  }
  result.turns = question_turns(row, "prompt");
  dialogue before;
  result.response = take_answer(row, field, before);
  if (!before.empty())
    row.fail(row.named(field) + " has more than one turn; what is rated is one answer of the assistant");
}

/// Reads everything that was answered: of several turns, each one of the assistant's is learned.
example read_completion(const row_reader &row) {
  example result;
  if (!is_dialogue(row, "completion") && !row.is_list("prompt")) {
    result.prompt = row.text("prompt");
    result.response = row.text("completion");
    return result;
  }
  result.turns = question_turns(row, "prompt");
  dialogue answers;
  if (is_dialogue(row, "completion"))
    answers = row.messages("completion");
  else
    answers.push_back({"assistant", row.text("completion")});
  if (answers.back().role != "assistant")
    row.fail(fmt::format("{} must end with the assistant's turn, not with \"{}\"", row.named("completion"),
                         answers.back().role));
  result.turns.insert(result.turns.end(), answers.begin(), answers.end());
  return result;
}

}  // namespace

example read_messages(const row_reader &row) {
  return read_dialogue(row, "messages");
}

example read_conversations(const row_reader &row) {
  return read_dialogue(row, "conversations");
}

example read_prompt(const row_reader &row) {
  example result;
  read_question_of(row, result);
  complete_dialogue(row, "prompt", result);
  result.answer = row.answer();
  return result;
}

example read_demonstration(const row_reader &row) {
  example result;
  if (row.has("completion")) {
    result = read_completion(row);
  } else if (row.is_list("prompt")) {
    result.turns = question_turns(row, "prompt");
    result.turns.push_back({"assistant", row.text("response")});
  } else {
    result.prompt = row.text("prompt");
    result.response = row.text("response");
  }
  complete_dialogue(row, "prompt", result);
  result.answer = row.answer();
  return result;
}

// A rated text may stand alone, without anything that it answers.
example read_scored(const row_reader &row) {
  const bool response = row.has("response"), completion = row.has("completion");
  if (response && completion)
    row.fail(row.named("response") + " and " + row.named("completion") + " are both there; keep one of them");
  if (row.has("text") && !response && !completion) {
    auto result = read_text(row);
    result.score = row.number("score");
    return result;
  }
  if (!row.has("prompt")) row.fail_missing("prompt");
  example result;
  read_answer(row, completion ? "completion" : "response", result);
  complete_dialogue(row, "prompt", result);
  result.answer = row.answer();
  result.score = row.number("score");
  return result;
}

// TRL's unpaired preferences: good answers are rated 1, bad ones 0.
example read_labelled(const row_reader &row) {
  if (!row.has("prompt")) row.fail_missing("prompt");
  example result;
  read_answer(row, row.has("completion") ? "completion" : "response", result);
  complete_dialogue(row, "prompt", result);
  result.answer = row.answer();
  result.score = row.label();
  return result;
}

}  // namespace slipstream
