#include <fmt/format.h>

#include <algorithm>

#include "runtime/data/forms.hpp"

namespace slipstream {
namespace {

using dialogue = std::vector<chat_message>;

std::string last_question(const dialogue &turns) {
  const auto found =
      std::find_if(turns.rbegin(), turns.rend(), [](const auto &turn) { return turn.role == "user"; });
  return found == turns.rend() ? std::string() : found->content;
}

/// What every dialogue has besides its turns.
void complete_dialogue(const row_reader &row, std::string_view field, example &result) {
  if (result.turns.empty()) return;
  result.prompt = last_question(result.turns);
  if (result.prompt.empty()) row.fail(row.named(field) + " has no user's turn to answer; add one");
  result.extras = row.extras();
}

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

/// A dialogue that leads to an answer: its own answers are only read.
dialogue question_turns(const row_reader &row, std::string_view field) {
  if (!row.is_list(field)) return {{"user", row.text(field)}};
  auto turns = row.messages(field);
  if (turns.back().role == "assistant")
    row.fail(row.named(field) +
             " ends with the assistant's turn; going on from a begun answer is not possible, so end it with "
             "what is to be answered");
  for (auto &turn : turns) turn.trained = false;
  return turns;
}

/// "prompt", as a text or as a dialogue.
void read_question_of(const row_reader &row, example &result) {
  if (row.is_list("prompt"))
    result.turns = question_turns(row, "prompt");
  else
    result.prompt = row.text("prompt");
}

/// A dialogue that ends with an answer: splits it off.
std::string take_answer(const row_reader &row, std::string_view field, dialogue &turns) {
  turns = row.messages(field);
  const auto &last = turns.back();
  if (last.role != "assistant")
    row.fail(
        fmt::format("{} must end with the assistant's turn, not with \"{}\"", row.named(field), last.role));
  if (!last.fields.empty())
    row.fail(
        fmt::format("the last turn of {} holds more than a text: {}; an answer that is compared is a text",
                    row.named(field), last.fields));
  if (!last.trained)
    row.fail(
        fmt::format("the last turn of {} is not to be trained on, but it is what is learned from; remove "
                    "its \"weight\" or \"train\"",
                    row.named(field)));
  auto answer = last.content;
  turns.pop_back();
  return answer;
}

bool same(const dialogue &a, const dialogue &b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto &x, const auto &y) {
    return x.role == y.role && x.content == y.content && x.fields == y.fields;
  });
}

bool is_dialogue(const row_reader &row, std::string_view field) {
  return row.is_list(field) || row.is_object(field);
}

/// "prompt" and what the answers begin with are one dialogue; where both are given, they agree.
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

/// What leads to the answers, where the answers do not begin with it.
dialogue separate_question(const row_reader &row) {
  return row.is_list("conversations") ? question_turns(row, "conversations") : question_turns(row, "prompt");
}

/// Lists of messages: what leads to the answers is their common beginning, or stands by itself.
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

/// HH-RLHF: whole dialogues as texts, alike but for the last answer. Others have no prompt.
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

/// One answer, as a text or as a message, to a question of either kind.
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

/// All that was answered: of several turns every one of the assistant's is learned.
example read_completion(const row_reader &row) {
  example result;
  if (!is_dialogue(row, "completion") && !row.is_list("prompt")) {
    result.prompt = row.text("prompt");
    result.response = row.text("completion");
    return result;
  }
  result.turns = question_turns(row, "prompt");
  auto answers = is_dialogue(row, "completion") ? row.messages("completion")
                                                : dialogue{{"assistant", row.text("completion")}};
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
  return result;
}

}  // namespace slipstream
