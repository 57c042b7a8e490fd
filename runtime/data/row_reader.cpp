#include "runtime/data/row_reader.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <set>

#include "models/error.hpp"

namespace slipstream {
namespace {

using json = nlohmann::ordered_json;

constexpr std::string_view sample_row = "{\"prompt\": \"…\"}";

std::string described(const json &value) {
  if (value.is_number() || value.is_boolean() || value.is_null()) return value.dump();
  return value.is_array() ? "an array" : value.is_object() ? "an object" : "a string";
}

}  // namespace

row_reader::row_reader(std::string_view line, const std::filesystem::path &file, std::size_t number,
                       const field_names &names)
    : file_(file), number_(number), names_(names) {
  // The parser builds a stack as deep as the brackets; rows have few.
  std::vector<std::set<std::string>> given;  // names, by open object
  const auto shallow = [&](int depth, json::parse_event_t event, json &parsed) {
    if (depth > 32)
      fail("the line is nested too deeply; a row is one flat object, as in {\"prompt\": \"…\"}");
    if (event == json::parse_event_t::object_start) given.emplace_back();
    if (event == json::parse_event_t::object_end) given.pop_back();
    if (event == json::parse_event_t::key && !given.back().insert(parsed.get<std::string>()).second)
      fail(fmt::format("the line has {} twice, and only one of the two can be meant; remove the other",
                       parsed.dump()));
    return true;
  };
  try {
    row_ = json::parse(line, shallow);
  } catch (const json::parse_error &error) {
    const auto at = error.byte == 0 ? 1 : error.byte;
    if (std::string_view(error.what()).find("UTF-8") != std::string_view::npos)
      fail(fmt::format("the text is not UTF-8 at byte {} of the line; convert the file to UTF-8", at));
    fail(fmt::format("not valid JSON at byte {} of the line; each line holds one object, as in {}", at,
                     sample_row));
  } catch (const json::exception &) {
    fail("the line holds a number that is out of range; a score is an ordinary number");
  }
  if (!row_.is_object()) fail("the line is not an object; each line holds one, as in {\"prompt\": \"…\"}");
}

void row_reader::fail(std::string_view message) const {
  throw input_error(fmt::format("{}:{}: error: {}", file_.string(), number_, message));
}

void row_reader::fail_missing(std::string_view field) const {
  fail(fmt::format("the field {} is missing; the file holds {}, and each line needs it", named(field),
                   holds_));
}

std::string row_reader::named(std::string_view field) const {
  const auto found = names_.find(std::string(field));
  return fmt::format("\"{}\"", found == names_.end() ? field : std::string_view(found->second));
}

// A null says as much as an absent field.
const json &row_reader::value(std::string_view field) const {
  static const json nothing;
  const std::string own(field);
  const auto renamed = names_.find(own);
  const auto &name = renamed == names_.end() ? own : renamed->second;
  if (renamed == names_.end())
    for (const auto &[ours, theirs] : names_)
      if (theirs == name) return nothing;  // the file's field of that name means another one of ours
  const auto found = row_.find(name);
  return found == row_.end() ? nothing : *found;
}

bool row_reader::has(std::string_view field) const {
  return !value(field).is_null();
}

bool row_reader::is_list(std::string_view field) const {
  return value(field).is_array();
}

std::string row_reader::text(std::string_view field) const {
  const auto &given = value(field);
  if (given.is_null()) fail_missing(field);
  if (!given.is_string()) fail(fmt::format("{} must be a string, not {}", named(field), described(given)));
  return given.get<std::string>();
}

std::string row_reader::text_or_nothing(std::string_view field) const {
  return has(field) ? text(field) : std::string();
}

double row_reader::number(std::string_view field) const {
  const auto &given = value(field);
  if (!given.is_number()) fail(fmt::format("{} must be a number, not {}", named(field), described(given)));
  const auto score = given.get<double>();
  if (std::abs(score) > std::numeric_limits<float>::max())
    fail(fmt::format("{} is the number {}, more than float32 holds (3.4e38)", named(field), score));
  return score;
}

// "weight" and "train" say whether an answer is trained on: all of it or nothing.
bool row_reader::trains(const json &given, const std::string &where) const {
  bool trained = true;
  for (const char *key : {"weight", "train"}) {
    const auto found = given.find(key);
    if (found == given.end() || found->is_null()) continue;
    const bool number = found->is_number() && (*found == 0 || *found == 1);
    if (!number && !found->is_boolean())
      fail(fmt::format("{}: \"{}\" must be true, false, 1 or 0, not {}", where, key, described(*found)));
    trained = trained && (number ? *found == 1 : found->get<bool>());
  }
  return trained;
}

// A content that is no text (a list of parts, or null beside a call of a tool) stands among the other fields,
// and its texts make the content.
chat_message row_reader::message(const json &given, std::string_view field, std::size_t index) const {
  const auto where = fmt::format("message {} of {}", index + 1, named(field));
  const auto role = given.is_object() ? given.find("role") : given.end();
  if (!given.is_object() || role == given.end() || !role->is_string())
    fail(where + " needs \"role\" and \"content\", both strings");
  chat_message made{role->get<std::string>(), ""};
  made.trained = trains(given, where);
  json rest = given;
  for (const char *key : {"role", "weight", "train"}) rest.erase(key);
  const auto content = rest.find("content");
  if (content != rest.end() && content->is_string()) {
    made.content = content->get<std::string>();
    rest.erase("content");
  } else if (content != rest.end() && content->is_array() && !content->empty()) {
    for (const auto &part : *content)
      if (part.is_object() && part.contains("text") && part["text"].is_string())
        made.content += part["text"].get<std::string>();
  } else if (rest.contains("tool_calls") && (content == rest.end() || content->is_null())) {
    rest["content"] = nullptr;
  } else {
    fail(where + " needs \"role\" and \"content\", both strings");
  }
  if (!rest.empty()) made.fields = rest.dump();
  return made;
}

std::string row_reader::extras() const {
  json made = json::object();
  for (const char *field : {"tools", "documents"})
    if (has(field)) made[field] = value(field);
  for (const char *field : {"tools", "documents"}) {
    if (!made.contains(field)) continue;
    // Some data sets hold them as JSON in a text, so that a table can have them in a column.
    if (made[field].is_string()) made[field] = json::parse(made[field].get<std::string>(), nullptr, false);
    if (!made[field].is_array()) fail(fmt::format("{} must be a list", named(field)));
  }
  return made.empty() ? std::string() : made.dump();
}

std::vector<chat_message> row_reader::messages(std::string_view field) const {
  const auto &given = value(field);
  if (!given.is_array() || given.empty())
    fail(fmt::format("{} must be a list of messages, as in [{{\"role\": \"user\", \"content\": \"…\"}}]",
                     named(field)));
  std::vector<chat_message> result;
  for (std::size_t i = 0; i < given.size(); ++i) result.push_back(message(given[i], field, i));
  return result;
}

}  // namespace slipstream
