#include "runtime/data/formats.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <set>

#include "models/error.hpp"
#include "runtime/data/forms.hpp"
#include "runtime/topology/suggest.hpp"

namespace slipstream {
namespace {

using fields = std::vector<std::string_view>;

/// Fields that a row may hold beside its dialogue, and fields that no chat template here can obey.
const fields beside_dialogue{"answer", "tools", "documents", "chat_template_kwargs"},
    media{"images", "image", "videos", "audios"};

fields with_beside(fields own) {
  own.insert(own.end(), beside_dialogue.begin(), beside_dialogue.end());
  return own;
}

const std::array<data_format, 12> formats{{
    {"pairs",
     row_format::pairs,
     {"chosen", "rejected"},
     {"chosen", "rejected"},
     with_beside({"prompt", "conversations", "tie"}),
     read_pair,
     {},
     media},
    {"rankings",
     row_format::rankings,
     {"ranking"},
     {"prompt", "ranking"},
     with_beside({}),
     read_ranking,
     {},
     media},
    {"messages",
     row_format::demonstrations,
     {"messages"},
     {"messages"},
     with_beside({"system"}),
     read_messages,
     {},
     media},
    {"conversations",
     row_format::demonstrations,
     {"conversations"},
     {"conversations"},
     with_beside({"system"}),
     read_conversations,
     {},
     media},
    {"alpaca",
     row_format::demonstrations,
     {"instruction", "output"},
     {"instruction", "output"},
     {"input"},
     read_alpaca,
     {},
     {"system", "history"}},
    {"questions", row_format::demonstrations, {"question"}, {"question", "answer"}, {}, read_question},
    {"labelled",
     row_format::scored,
     {"label"},
     {"prompt", "label"},
     with_beside({"completion", "response"}),
     read_labelled,
     {"completion", "response"},
     media},
    {"scored",
     row_format::scored,
     {"score"},
     {"score"},
     with_beside({"prompt", "response", "completion", "text"}),
     read_scored,
     {},
     media},
    {"completions",
     row_format::demonstrations,
     {"completion"},
     {"prompt", "completion"},
     with_beside({}),
     read_demonstration,
     {},
     media},
    {"demonstrations",
     row_format::demonstrations,
     {"response"},
     {"prompt", "response"},
     with_beside({"teacher"}),
     read_demonstration,
     {},
     media},
    {"prompts",
     row_format::prompts,
     {"prompt"},
     {"prompt"},
     with_beside({"teacher"}),
     read_prompt,
     {},
     media},
    {"texts", row_format::demonstrations, {"text"}, {"text"}, {}, read_text},
}};

bool has_one(const row_reader &row, const fields &of) {
  return std::any_of(of.begin(), of.end(), [&](auto field) { return row.has(field); });
}

std::string listing() {
  std::string text;
  for (const auto &format : formats)
    text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", format.name, fmt::join(format.needs, ", "));
  return text;
}

}  // namespace

bool data_format::recognises(const row_reader &row) const {
  return has_one(row, marks) && (beside.empty() || has_one(row, beside));
}

bool data_format::has_field(std::string_view field) const {
  const auto among = [&](const fields &of) { return std::find(of.begin(), of.end(), field) != of.end(); };
  return among(needs) || among(may_have);
}

example data_format::read_row(row_reader &row) const {
  row.expect(to_string(holds));
  for (const auto field : needs)
    if (!row.has(field)) row.fail_missing(field);
  for (const auto field : refuses)
    if (row.says(field))
      row.fail(
          fmt::format("{} cannot be obeyed in the form \"{}\", and without it the row means something else; "
                      "leave the field or the row out",
                      row.named(field), name));
  auto made = read(row);
  if (has_field("teacher")) made.teacher = row.text_or_nothing("teacher");
  for (const auto field : {"tools", "chat_template_kwargs"})
    if (made.turns.empty() && row.says(field))
      row.fail(
          fmt::format("{} is for a chat template, but the row is plain text, which none writes; write the "
                      "texts as lists of messages, or leave it out",
                      row.named(field)));
  return made;
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
    case row_format::rankings:
      return "rankings";
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
  const auto found = std::find_if(formats.begin(), formats.end(),
                                  [&](const auto &format) { return format.recognises(row); });
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
