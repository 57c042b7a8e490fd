#include "runtime/data/row_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <set>

#include "models/error.hpp"
#include "runtime/data/message_reader.hpp"

namespace slipstream {
namespace {

using nlohmann::ordered_json;

constexpr std::string_view sample_row = "{\"prompt\": \"…\"}";

}  // namespace

std::string described(const ordered_json &value) {
  if (value.is_number() || value.is_boolean() || value.is_null()) return value.dump();
  return value.is_array() ? "an array" : value.is_object() ? "an object" : "a string";
}

row_reader::row_reader(std::string_view text, const std::filesystem::path &file, std::size_t number,
                       const field_names &names, std::size_t column)
    : file_(file), number_(number), column_(column), names_(names) {
  row_ = parsed(text, column == 0 ? "line" : "row");
  if (!row_.is_object())
    fail(fmt::format("the {0} is not an object; each {0} is one, as in {1}", column == 0 ? "line" : "row",
                     sample_row));
}

// Refuses what the library would let pass: a name given twice (the last would win), and deep nesting, for
// which the parser builds a stack as deep. Rows nest little.
row_reader::json row_reader::parsed(std::string_view text, const std::string &what) const {
  std::vector<std::set<std::string>> given;  // names, by open object
  const auto strictly = [&](int depth, ordered_json::parse_event_t event, ordered_json &part) {
    if (depth > 32)
      fail("the " + what + " is nested too deeply; a row is one flat object, as in " +
           std::string(sample_row));
    if (event == ordered_json::parse_event_t::object_start) given.emplace_back();
    if (event == ordered_json::parse_event_t::object_end) given.pop_back();
    if (event == ordered_json::parse_event_t::key && !given.back().insert(part.get<std::string>()).second)
      fail(fmt::format("the {} has {} twice, and only one of the two can be meant; remove the other", what,
                       part.dump()));
    return true;
  };
  try {
    return ordered_json::parse(text, strictly);
  } catch (const ordered_json::parse_error &error) {
    const auto at = error.byte == 0 ? 1 : error.byte;
    if (std::string_view(error.what()).find("UTF-8") != std::string_view::npos)
      fail(fmt::format("the text is not UTF-8 at byte {} of the {}; convert the file to UTF-8", at, what));
    fail(fmt::format(
        "not valid JSON at byte {} of the {}; each line holds one object, as in {}, or the file is "
        "one array of objects",
        at, what, sample_row));
  } catch (const ordered_json::exception &) {
    fail("the " + what + " holds a number that is out of range; a score is an ordinary number");
  }
}

void row_reader::fail(std::string_view message) const {
  const auto column = column_ == 0 ? std::string() : fmt::format(":{}", column_);
  throw input_error(fmt::format("{}:{}{}: error: {}", file_.string(), number_, column, message));
}

void row_reader::fail_missing(std::string_view field) const {
  fail(fmt::format("the field {} is missing; the file holds {}, and each line needs it", named(field),
                   holds_));
}

std::string row_reader::named(std::string_view field) const {
  const auto found = names_.find(std::string(field));
  return fmt::format("\"{}\"", found == names_.end() ? field : std::string_view(found->second));
}

// Follows a path into objects by name and into lists by number, from 0; null where nothing is.
const ordered_json *row_reader::at_path(std::string_view path) const {
  const ordered_json *here = &row_;
  while (true) {
    const auto dot = path.find('.');
    const auto step = path.substr(0, dot);
    if (here->is_array()) {
      std::size_t index = 0;
      const auto end = step.data() + step.size();
      const auto [read, failed] = std::from_chars(step.data(), end, index);
      if (failed != std::errc() || read != end || index >= here->size()) return nullptr;
      here = &(*here)[index];
    } else {
      const auto found = here->is_object() ? here->find(std::string(step)) : here->end();
      if (!here->is_object() || found == here->end()) return nullptr;
      here = &*found;
    }
    if (dot == std::string_view::npos) return here;
    path.remove_prefix(dot + 1);
  }
}

// A null means the same as an absent field.
const ordered_json &row_reader::value(std::string_view field) const {
  static const ordered_json nothing;
  const std::string own(field);
  const auto renamed = names_.find(own);
  const auto &name = renamed == names_.end() ? own : renamed->second;
  if (renamed == names_.end())
    for (const auto &[ours, theirs] : names_)
      if (theirs == name) return nothing;  // the file's field of that name means another one of ours
  const auto found = row_.find(name);
  const auto *inside = name.find('.') == std::string::npos ? nullptr : at_path(name);
  if (found == row_.end()) return inside ? *inside : nothing;
  if (inside)
    fail(fmt::format("\"{}\" is the name of a field and leads into another one; rename one of them", name));
  return *found;
}

bool row_reader::has(std::string_view field) const {
  return !value(field).is_null();
}

bool row_reader::says(std::string_view field) const {
  const auto &given = value(field);
  return given.is_string() ? !given.get_ref<const std::string &>().empty() : !given.empty();
}

bool row_reader::is_list(std::string_view field) const {
  return value(field).is_array();
}

bool row_reader::is_object(std::string_view field) const {
  return value(field).is_object();
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

std::string row_reader::answer() const {
  const auto &given = value("answer");
  return given.is_number_integer() ? given.dump() : text_or_nothing("answer");
}

double row_reader::number(std::string_view field) const {
  const auto &given = value(field);
  if (given.is_boolean()) return given.get<bool>() ? 1 : 0;
  if (!given.is_number()) fail(fmt::format("{} must be a number, not {}", named(field), described(given)));
  const auto score = given.get<double>();
  if (std::abs(score) > std::numeric_limits<float>::max())
    fail(fmt::format("{} is the number {}, more than float32 holds (3.4e38)", named(field), score));
  return score;
}

double row_reader::label() const {
  const auto &given = value("label");
  if (given.is_boolean() || (given.is_number() && (given == 0 || given == 1))) return number("label");
  fail(fmt::format(
      "{} must be true or false, or 1 or 0 (was the answer good?), not {}; where it means something "
      "else, name the form: format = \"demonstrations\"",
      named("label"), described(given)));
}

std::vector<std::string> row_reader::texts(std::string_view field) const {
  const auto &given = value(field);
  if (given.is_null()) fail_missing(field);
  if (!given.is_array())
    fail(fmt::format("{} must be a list of texts, not {}", named(field), described(given)));
  std::vector<std::string> result;
  for (const auto &each : given) {
    if (!each.is_string())
      fail(fmt::format("{} must hold texts alone, not {}", named(field), described(each)));
    result.push_back(each.get<std::string>());
  }
  return result;
}

bool row_reader::truth(std::string_view field) const {
  const auto &given = value(field);
  if (given.is_null()) return false;
  if (!given.is_boolean())
    fail(fmt::format("{} must be true or false, not {}", named(field), described(given)));
  return given.get<bool>();
}

// Some data sets hold lists as JSON in a text, so that a table can have them in a column.
row_reader::json row_reader::list_of(std::string_view field) const {
  const auto &given = value(field);
  ordered_json list =
      given.is_string() ? parsed(given.get_ref<const std::string &>(), "text in " + named(field)) : given;
  if (!list.is_array()) fail(fmt::format("{} must be a list", named(field)));
  return list;
}

// Adds what a template is to know besides, as the TRL library passes it on: {"enable_thinking": false}.
void row_reader::add_arguments(ordered_json &extras) const {
  constexpr std::string_view field = "chat_template_kwargs";
  if (!says(field)) return;
  if (!is_object(field)) fail(fmt::format("{} must be an object", named(field)));
  constexpr std::array taken{"messages", "tools", "documents", "add_generation_prompt",
                             "continue_final_message"};
  for (const auto &[name, given] : value(field).items()) {
    if (given.is_null()) continue;
    if (std::find(taken.begin(), taken.end(), name) != taken.end() || name.ends_with("_token"))
      fail(fmt::format("{} may not hold \"{}\", which the run itself gives to the chat template",
                       named(field), name));
    extras[name] = given;
  }
}

std::string row_reader::extras() const {
  ordered_json made = ordered_json::object();
  for (const char *field : {"tools", "documents"})
    if (says(field)) made[field] = list_of(field);
  add_arguments(made);
  return made.empty() ? std::string() : made.dump();
}

std::vector<chat_message> row_reader::messages(std::string_view field) const {
  const auto &given = value(field);
  const message_reader reader{[this](const std::string &message) { fail(message); }, named(field)};
  if (given.is_object()) return {reader.read(given, 0)};
  if (!given.is_array() || given.empty())
    fail(fmt::format("{} must be a list of messages, as in [{{\"role\": \"user\", \"content\": \"…\"}}]",
                     named(field)));
  std::vector<chat_message> result;
  for (std::size_t i = 0; i < given.size(); ++i) result.push_back(reader.read(given[i], i));
  return result;
}

std::vector<std::string> row_reader::keys() const {
  std::vector<std::string> names;
  for (const auto &[name, given] : row_.items()) names.push_back(name);
  return names;
}

}  // namespace slipstream
