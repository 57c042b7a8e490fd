#include "runtime/data/dialogue_parts.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace slipstream {
namespace {

std::string last_question(const dialogue &turns) {
  const auto found =
      std::find_if(turns.rbegin(), turns.rend(), [](const auto &turn) { return turn.role == "user"; });
  return found == turns.rend() ? std::string() : found->content;
}

}  // namespace

bool is_dialogue(const row_reader &row, std::string_view field) {
  return row.is_list(field) || row.is_object(field);
}

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

void read_question_of(const row_reader &row, example &result) {
  if (row.is_list("prompt"))
    result.turns = question_turns(row, "prompt");
  else
    result.prompt = row.text("prompt");
}

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

void complete_dialogue(const row_reader &row, std::string_view field, example &result) {
  if (result.turns.empty()) return;
  result.prompt = last_question(result.turns);
  if (result.prompt.empty()) row.fail(row.named(field) + " has no user's turn to answer; add one");
  result.extras = row.extras();
}

}  // namespace slipstream
