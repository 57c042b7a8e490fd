#include "runtime/feedback/own_lines.hpp"

#include <optional>
#include <span>
#include <string_view>

#include "models/error.hpp"

namespace slipstream {
namespace {

using line_json = nlohmann::ordered_json;

enum class column_type { text, integer, number, number_or_null };
struct column {
  std::string_view name;
  column_type type;
};
using enum column_type;

constexpr column guideline_columns[] = {{"version", integer}, {"text", text}, {"since_ns", integer}};
constexpr column question_columns[] = {
    {"id", text},          {"form", text},           {"prompt", text},
    {"asked_ns", integer}, {"deadline_ns", integer}, {"probability", number},
    {"people", integer},   {"gold", text},           {"state", text}};
constexpr column answer_columns[] = {{"question", text}, {"place", integer},   {"text", text},
                                     {"origin", text},   {"version", integer}, {"logprob", number_or_null}};
constexpr column judgement_columns_of_file[] = {
    {"id", text},           {"question", text},    {"annotator", text},      {"verdict", text},
    {"answer_order", text}, {"shown_ns", integer}, {"answered_ns", integer}, {"guideline", integer},
    {"comment", text},      {"flagged", integer},  {"withdrawn", integer},   {"fit", text}};

/// In the order in which one refers to another.
constexpr struct {
  std::string_view name, order;
  std::span<const column> columns;
} tables_of_file[] = {{"guidelines", "version", guideline_columns},
                      {"questions", "place", question_columns},
                      {"answers", "question, place", answer_columns},
                      {"judgements", "place", judgement_columns_of_file}};

std::string listed_columns(std::span<const column> columns) {
  std::string text;
  for (const auto &each : columns) text += (text.empty() ? "" : ", ") + std::string(each.name);
  return text;
}

line_json value_of(const database_statement &row, int place, column_type type) {
  if (row.is_null(place)) return {};
  if (type == text) return row.text(place);
  return type == integer ? line_json(row.integer(place)) : line_json(row.number(place));
}

void bind_value(database_statement &to, int place, const column &what, const line_json &line) {
  const auto found = line.find(what.name);
  const std::string name = "\"" + std::string(what.name) + "\"";
  if (found == line.end()) throw input_error("the field " + name + " is missing");
  if (what.type == text && found->is_string()) {
    to.bind(place, std::string_view(found->get_ref<const std::string &>()));
  } else if (what.type == integer && found->is_number_integer()) {
    to.bind(place, found->get<std::int64_t>());
  } else if (what.type == number && found->is_number()) {
    to.bind(place, found->get<double>());
  } else if (what.type == number_or_null && (found->is_null() || found->is_number())) {
    to.bind(place, found->is_null() ? std::nullopt : std::optional(found->get<double>()));
  } else {
    throw input_error("the field " + name + " holds " + found->dump() + ", which it cannot");
  }
}

}  // namespace

void write_own_lines(const database &from, const std::function<void(const line_json &)> &write) {
  for (const auto &table : tables_of_file) {
    auto rows = from.prepare("SELECT " + listed_columns(table.columns) + " FROM " + std::string(table.name) +
                             " ORDER BY " + std::string(table.order));
    while (rows.next()) {
      line_json line = {{"table", table.name}};
      for (std::size_t i = 0; i < table.columns.size(); ++i)
        line[std::string(table.columns[i].name)] = value_of(rows, static_cast<int>(i), table.columns[i].type);
      write(line);
    }
  }
}

bool read_own_line(database &to, const line_json &line) {
  const auto named = line.is_object() ? line.find("table") : line.end();
  if (!line.is_object() || named == line.end() || !named->is_string())
    throw input_error("a line of a book names its \"table\"");
  for (const auto &table : tables_of_file) {
    if (table.name != named->get_ref<const std::string &>()) continue;
    std::string places;
    for (std::size_t i = 0; i < table.columns.size(); ++i) places += i == 0 ? "?" : ", ?";
    auto insert = to.prepare("INSERT INTO " + std::string(table.name) + " (" + listed_columns(table.columns) +
                             ") VALUES (" + places + ") ON CONFLICT DO NOTHING");
    for (std::size_t i = 0; i < table.columns.size(); ++i)
      bind_value(insert, static_cast<int>(i + 1), table.columns[i], line);
    return insert.run() > 0;
  }
  throw input_error("a book has no table " + named->dump());
}

}  // namespace slipstream
