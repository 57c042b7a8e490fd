#include "runtime/data/formats.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <set>

#include "models/error.hpp"
#include "runtime/topology/suggest.hpp"

namespace slipstream {
namespace {

example read_prompt(const row_reader &row) {
  example result;
  result.prompt = row.text("prompt");
  result.answer = row.text_or_nothing("answer");
  return result;
}

example read_demonstration(const row_reader &row) {
  auto result = read_prompt(row);
  result.response = row.text("response");
  return result;
}

example read_text(const row_reader &row) {
  example result;
  result.response = row.text("text");
  return result;
}

// A rated text may stand alone, without anything that it answers.
example read_scored(const row_reader &row) {
  const bool alone = row.has("text") && !row.has("response");
  auto result = alone ? read_text(row) : read_demonstration(row);
  result.score = row.number("score");
  return result;
}

// The wording that Stanford's Alpaca was trained with.
example read_alpaca(const row_reader &row) {
  example result;
  const auto input = row.text_or_nothing("input");
  result.prompt = input.empty()
                      ? "Below is an instruction that describes a task. Write a response that appropriately "
                        "completes the request.\n\n### Instruction:\n" +
                            row.text("instruction") + "\n\n### Response:\n"
                      : "Below is an instruction that describes a task, paired with an input that provides "
                        "further context. Write a response that appropriately completes the request.\n\n### "
                        "Instruction:\n" +
                            row.text("instruction") + "\n\n### Input:\n" + input + "\n\n### Response:\n";
  result.response = row.text("output");
  return result;
}

// GSM8K: the working, then "#### 1,200"; a checker compares with the number.
example read_question(const row_reader &row) {
  constexpr std::string_view mark = "####", blank = " \t\r\n";
  example result;
  result.prompt = row.text("question");
  result.response = row.text("answer");
  result.answer = result.response;
  if (const auto at = result.response.rfind(mark); at != std::string::npos) {
    result.answer = result.response.substr(at + mark.size());
    std::erase(result.answer, ',');
  }
  result.answer.erase(0, std::min(result.answer.find_first_not_of(blank), result.answer.size()));
  result.answer.erase(result.answer.find_last_not_of(blank) + 1);
  return result;
}

std::string last_question(const std::vector<chat_message> &turns) {
  const auto found =
      std::find_if(turns.rbegin(), turns.rend(), [](const auto &turn) { return turn.role == "user"; });
  return found == turns.rend() ? std::string() : found->content;
}

example read_messages(const row_reader &row) {
  example result;
  result.turns = row.messages("messages");
  result.prompt = last_question(result.turns);
  if (result.prompt.empty()) row.fail(row.named("messages") + " has no user's turn to answer; add one");
  result.answer = row.text_or_nothing("answer");
  result.extras = row.extras();
  return result;
}

/// A dialogue that ends with an answer: splits it off.
std::string take_answer(const row_reader &row, std::string_view field, std::vector<chat_message> &turns) {
  turns = row.messages(field);
  if (turns.back().role != "assistant")
    row.fail(fmt::format("{} must end with the assistant's turn, not with \"{}\"", row.named(field),
                         turns.back().role));
  if (!turns.back().fields.empty())
    row.fail(
        fmt::format("the last turn of {} holds more than a text: {}; an answer that is compared is a text",
                    row.named(field), turns.back().fields));
  auto answer = turns.back().content;
  turns.pop_back();
  return answer;
}

bool same(const std::vector<chat_message> &a, const std::vector<chat_message> &b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto &x, const auto &y) {
    return x.role == y.role && x.content == y.content && x.fields == y.fields;
  });
}

/// Lists of messages: what leads to the answers is their common beginning, or stands in "prompt".
void read_message_pair(const row_reader &row, example &result) {
  std::vector<chat_message> other;
  result.response = take_answer(row, "chosen", result.turns);
  result.rejected = take_answer(row, "rejected", other);
  if (!same(result.turns, other))
    row.fail(row.named("chosen") + " and " + row.named("rejected") +
             " must be the same dialogue but for the last turn");
  if (!result.turns.empty()) return;
  if (row.is_list("prompt"))
    result.turns = row.messages("prompt");
  else
    result.turns = {{"user", row.text("prompt")}};
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

example read_pair(const row_reader &row) {
  example result;
  result.answer = row.text_or_nothing("answer");
  if (row.is_list("chosen")) {
    read_message_pair(row, result);
  } else {
    result.response = row.text("chosen");
    result.rejected = row.text("rejected");
    if (row.is_list("prompt"))
      result.turns = row.messages("prompt");
    else if (row.has("prompt"))
      result.prompt = row.text("prompt");
    else
      split_dialogues(row, result);
  }
  if (!result.turns.empty()) result.prompt = last_question(result.turns);
  if (!result.turns.empty()) result.extras = row.extras();
  return result;
}

const std::array<data_format, 8> formats{{
    {"pairs",
     row_format::pairs,
     {"chosen", "rejected"},
     {"chosen", "rejected"},
     {"prompt", "answer", "tools", "documents"},
     read_pair},
    {"messages",
     row_format::demonstrations,
     {"messages"},
     {"messages"},
     {"answer", "tools", "documents"},
     read_messages},
    {"alpaca",
     row_format::demonstrations,
     {"instruction", "output"},
     {"instruction", "output"},
     {"input"},
     read_alpaca},
    {"questions", row_format::demonstrations, {"question"}, {"question", "answer"}, {}, read_question},
    {"scored",
     row_format::scored,
     {"score"},
     {"score"},
     {"prompt", "response", "text", "answer"},
     read_scored},
    {"demonstrations",
     row_format::demonstrations,
     {"response"},
     {"prompt", "response"},
     {"answer"},
     read_demonstration},
    {"prompts", row_format::prompts, {"prompt"}, {"prompt"}, {"answer"}, read_prompt},
    {"texts", row_format::demonstrations, {"text"}, {"text"}, {}, read_text},
}};

bool has_mark(const data_format &format, const row_reader &row) {
  return std::any_of(format.marks.begin(), format.marks.end(), [&](auto field) { return row.has(field); });
}

std::string listing() {
  std::string text;
  for (const auto &format : formats)
    text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", format.name, fmt::join(format.needs, ", "));
  return text;
}

}  // namespace

example data_format::read_row(row_reader &row) const {
  row.expect(to_string(holds));
  for (const auto field : needs)
    if (!row.has(field)) row.fail_missing(field);
  return read(row);
}

std::string_view to_string(row_format format) {
  switch (format) {
    case row_format::prompts:
      return "prompts";
    case row_format::demonstrations:
      return "demonstrations";
    case row_format::pairs:
      return "pairs";
    case row_format::scored:
      return "scored answers";
  }
  return "unknown";
}

std::span<const data_format> data_formats() {
  return formats;
}

const data_format &find_data_format(std::string_view name) {
  std::vector<std::string> names;
  for (const auto &format : formats) {
    if (format.name == name) return format;
    names.emplace_back(format.name);
  }
  throw input_error(fmt::format("there is no data format \"{}\".{} Formats: {}", name,
                                did_you_mean(std::string(name), names), listing()));
}

const data_format *recognised_format(const row_reader &row) {
  const auto found =
      std::find_if(formats.begin(), formats.end(), [&](const auto &format) { return has_mark(format, row); });
  return found == formats.end() ? nullptr : &*found;
}

const data_format &recognise_format(const row_reader &row) {
  if (const auto *format = recognised_format(row)) return *format;
  row.fail(
      "the line's fields make none of the known formats; say which are which with fields = {prompt = "
      "\"…\"} in the topology, or write those of one of " +
      listing());
}

std::vector<std::string> data_fields() {
  std::set<std::string> names;
  for (const auto &format : formats) {
    names.insert(format.needs.begin(), format.needs.end());
    names.insert(format.may_have.begin(), format.may_have.end());
  }
  return {names.begin(), names.end()};
}

}  // namespace slipstream
