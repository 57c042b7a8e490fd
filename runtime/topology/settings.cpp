#include "runtime/topology/settings.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "runtime/topology/suggest.hpp"

namespace slipstream {

namespace {

// " (1 or more)" for the message about a value outside its range.
template <class Number>
std::string range_text(Number least, Number most, Number lowest, Number highest) {
  if (least > lowest && most < highest) return fmt::format(" from {} to {}", least, most);
  if (least > lowest) return fmt::format(" of at least {}", least);
  return most < highest ? fmt::format(" of at most {}", most) : "";
}

std::string quoted_list(std::vector<std::string> words) {
  for (auto &word : words) word = fmt::format("\"{}\"", word);
  return listed(words, "or");
}

}  // namespace

std::string described(const node &value) {
  if (const auto *text = value.as_text())
    return text->size() > 40 ? "a long string" : fmt::format("the string \"{}\"", *text);
  if (const auto *integer = value.as_integer()) return fmt::format("the integer {}", *integer);
  if (const auto *number = std::get_if<double>(&value.value)) return fmt::format("the number {}", *number);
  if (const auto *flag = std::get_if<bool>(&value.value)) return fmt::format("the flag {}", *flag);
  return value.as_array() != nullptr ? "an array" : "a table";
}

settings::settings(node table, std::vector<std::string> also_known)
    : table_(std::move(table)), also_known_(std::move(also_known)) {
  if (table_.as_table() == nullptr)
    fail_at(table_.at, fmt::format("{0} must be a table, not {1}; write [{0}] and its keys below",
                                   table_.path, described(table_)));
  resolved_.at = table_.at;
  resolved_.path = table_.path;
}

const node *settings::find(const std::string &key) {
  if (!contains(asked_, key)) asked_.push_back(key);
  const node *value = table_.find(key);
  if (value != nullptr && resolved_.find(key) == nullptr) keep_node(key, *value);
  return value;
}

bool settings::has(const std::string &key) {
  return find(key) != nullptr;
}

source_position settings::at(const std::string &key) const {
  const node *value = table_.find(key);
  return value == nullptr ? table_.at : value->at;
}

void settings::fail(const std::string &key, std::string_view message) const {
  fail_at(at(key), table_.path.empty() ? std::string(message) : fmt::format("[{}] {}", table_.path, message));
}

const node *settings::require(const std::string &key, std::string_view example) {
  const node *value = find(key);
  if (value == nullptr) fail(key, fmt::format("{0} is missing; add a line such as {0} = {1}", key, example));
  return value;
}

void settings::keep_node(const std::string &key, node value) {
  auto &entries = std::get<node::table>(resolved_.value);
  const auto found =
      std::find_if(entries.begin(), entries.end(), [&](const node_entry &entry) { return entry.key == key; });
  if (found != entries.end()) {
    found->content = std::move(value);
  } else {
    const auto place = value.at;
    entries.push_back({key, place, std::move(value)});
  }
}

template <class Value>
Value settings::keep(const std::string &key, Value value) {
  keep_node(key, {value, at(key), table_.path.empty() ? key : fmt::format("{}.{}", table_.path, key)});
  return value;
}

std::int64_t settings::integer(const std::string &key, std::int64_t otherwise, std::int64_t least,
                               std::int64_t most) {
  return has(key) ? required_integer(key, least, most) : keep(key, otherwise);
}

std::int64_t settings::required_integer(const std::string &key, std::int64_t least, std::int64_t most) {
  const auto example = std::clamp<std::int64_t>(1, least, most);
  const node *value = require(key, fmt::to_string(example));
  const auto range = range_text(least, most, lowest, highest);
  const auto *integer = value->as_integer();
  if (integer == nullptr)
    fail(key, fmt::format(
                  "{0} must be an integer{1}, not {2}; write it without quotes or a point, as in {0} = {3}",
                  key, range, described(*value), example));
  if (*integer < least || *integer > most)
    fail(key, fmt::format("{} must be an integer{}, not {}", key, range, *integer));
  return keep(key, *integer);
}

double settings::number(const std::string &key, double otherwise, double least, double most) {
  return has(key) ? required_number(key, least, most) : keep(key, otherwise);
}

double settings::required_number(const std::string &key, double least, double most) {
  const auto example = std::clamp(0.5, least, most);
  const node *value = require(key, fmt::to_string(example));
  const auto range = range_text(least, most, -endless, endless);
  const auto *integer = value->as_integer();
  const auto *real = std::get_if<double>(&value->value);
  if (integer == nullptr && real == nullptr)
    fail(key, fmt::format("{0} must be a number{1}, not {2}; write it without quotes, as in {0} = {3}", key,
                          range, described(*value), example));
  const double number = real != nullptr ? *real : static_cast<double>(*integer);
  if (!std::isfinite(number) || number < least || number > most)
    fail(key, fmt::format("{} must be a finite number{}, not {}", key, range, number));
  return keep(key, number);
}

bool settings::flag(const std::string &key, bool otherwise) {
  const node *value = find(key);
  if (value == nullptr) return keep(key, otherwise);
  const auto *flag = std::get_if<bool>(&value->value);
  if (flag == nullptr) fail(key, fmt::format("{} must be true or false, not {}", key, described(*value)));
  return keep(key, *flag);
}

std::string settings::text(const std::string &key, const std::string &otherwise) {
  const node *value = find(key);
  if (value == nullptr) return keep(key, otherwise);
  const auto *text = value->as_text();
  if (text == nullptr)
    fail(key, fmt::format("{0} must be a string, not {1}; put it in quotes, as in {0} = \"…\"", key,
                          described(*value)));
  return keep(key, *text);
}

std::string settings::required_text(const std::string &key) {
  require(key, "\"…\"");
  const auto value = text(key, "");
  if (value.empty()) fail(key, fmt::format("{} is empty; put something between the quotes", key));
  return value;
}

std::string settings::choice(const std::string &key, const std::vector<std::string> &options) {
  return has(key) ? required_choice(key, options) : keep(key, options.front());
}

std::string settings::required_choice(const std::string &key, const std::vector<std::string> &options) {
  const node *value = require(key, fmt::format("\"{}\"", options.front()));
  const auto *text = value->as_text();
  if (text == nullptr || !contains(options, *text))
    fail(key, fmt::format("{} must be {}, not {}.{}", key, quoted_list(options), described(*value),
                          text == nullptr ? "" : did_you_mean(*text, options)));
  return keep(key, *text);
}

std::vector<std::string> settings::texts(const std::string &key) {
  const node *value = find(key);
  if (value == nullptr) return {};
  const auto *array = value->as_array();
  const node::array items = array != nullptr ? *array : node::array{*value};
  std::vector<std::string> result;
  for (const auto &item : items) {
    const auto *text = item.as_text();
    if (text == nullptr)
      fail_at(item.at,
              fmt::format("[{0}] {1} must be a string or an array of strings, not {2}; write {1} = \"…\" or "
                          "{1} = [\"…\", \"…\"]",
                          table_.path, key, described(item)));
    result.push_back(*text);
  }
  keep(key, items);
  return result;
}

std::vector<std::string> settings::required_texts(const std::string &key) {
  require(key, "\"…\"");
  auto result = texts(key);
  if (result.empty()) fail(key, fmt::format("{0} is empty; name at least one, as in {0} = \"…\"", key));
  return result;
}

void settings::finish() const {
  auto known = asked_;
  known.insert(known.end(), also_known_.begin(), also_known_.end());
  for (const auto &entry : *table_.as_table()) {
    if (contains(known, entry.key)) continue;
    const auto where = table_.path.empty() ? "at the top of the file" : fmt::format("in [{}]", table_.path);
    fail_at(entry.at, fmt::format("unknown key \"{}\" {}.{} Known keys: {}", entry.key, where,
                                  did_you_mean(entry.key, known), listed(known)));
  }
}

}  // namespace slipstream
