#include "models/templates/text_edits.hpp"

#include <algorithm>
#include <charconv>

#include "models/templates/printing.hpp"
#include "models/templates/unicode.hpp"

namespace slipstream::jinja {
namespace {

// An empty text stands before and behind every character.
std::string replaced_between(std::string_view text, std::string_view with, std::int64_t most,
                             budget &spending) {
  std::string made;
  std::int64_t times = 0;
  const auto put = [&] {
    if (most >= 0 && times >= most) return;
    spending.room(made.size() + with.size());
    made += with;
    ++times;
  };
  for (std::size_t at = 0; at < text.size();) {
    put();
    const std::size_t from = at;
    next_character(text, at);
    made += text.substr(from, at - from);
    spending.spend();
  }
  put();
  return made;
}

// A field's value: by number, by order or by name.
const value &field(std::string_view name, std::size_t &next, const arguments &given) {
  if (name.find_first_of(":!.[") != std::string_view::npos)
    throw complaint("format: the field {" + std::string(name) +
                    "} is more than a name, which is not supported");
  std::size_t at = 0;
  const auto end = name.data() + name.size();
  const bool number = !name.empty() && std::from_chars(name.data(), end, at).ptr == end;
  if (name.empty()) at = next++;
  if (name.empty() || number) {
    if (at >= given.positional.size()) throw complaint("format: there are too few values");
    return given.positional[at];
  }
  for (const auto &[each, content] : given.named)
    if (each == name) return content;
  throw complaint("format: there is no value \"" + std::string(name) + "\"");
}

}  // namespace

std::vector<std::string_view> split_by(std::string_view text, std::string_view mark, std::int64_t most,
                                       bool from_right) {
  std::vector<std::string_view> parts;
  while (most < 0 || static_cast<std::int64_t>(parts.size()) < most) {
    const auto at = from_right ? find_last(text, mark) : find_first(text, mark);
    if (at == std::string_view::npos) break;
    parts.push_back(from_right ? text.substr(at + mark.size()) : text.substr(0, at));
    text = from_right ? text.substr(0, at) : text.substr(at + mark.size());
  }
  parts.push_back(text);
  if (from_right) std::reverse(parts.begin(), parts.end());
  return parts;
}

std::vector<std::string_view> split_by_spaces(std::string_view text, std::int64_t most, bool from_right) {
  std::vector<std::string_view> parts;
  text = strip(text, !from_right, from_right);
  while (!text.empty() && (most < 0 || static_cast<std::int64_t>(parts.size()) < most)) {
    std::size_t at = from_right ? text.size() : 0;
    while (from_right ? at > 0 : at < text.size()) {
      std::size_t next = at;
      const std::string_view last = from_right ? character_before(text.substr(0, at)) : std::string_view();
      std::size_t zero = 0;
      if (is_space(from_right ? next_character(last, zero) : next_character(text, next))) break;
      at = from_right ? at - last.size() : next;
    }
    parts.push_back(from_right ? text.substr(at) : text.substr(0, at));
    text = from_right ? text.substr(0, at) : text.substr(at);
    text = strip(text, !from_right, from_right);
  }
  // What is left over keeps the white space at its other end.
  if (!text.empty()) parts.push_back(text);
  if (from_right) std::reverse(parts.begin(), parts.end());
  return parts;
}

std::string replaced(std::string_view text, std::string_view old, std::string_view with, std::int64_t most,
                     budget &spending) {
  spending.spend(text.size() / 16);
  if (old.empty()) return replaced_between(text, with, most, spending);
  std::string made;
  for (std::int64_t times = 0; most < 0 || times < most; ++times) {
    const auto at = find_first(text, old);
    if (at == std::string_view::npos) break;
    spending.room(made.size() + at + with.size());
    (made += text.substr(0, at)) += with;
    text.remove_prefix(at + old.size());
  }
  return made += text;
}

std::string padded(std::string_view text, std::int64_t width, std::string_view fill, side where,
                   budget &spending) {
  if (characters(fill) != 1) throw complaint("what fills up to a width must be one character");
  const std::int64_t lacking = width - static_cast<std::int64_t>(characters(text));
  if (lacking <= 0) return std::string(text);
  spending.room(static_cast<std::size_t>(lacking) * fill.size());
  const std::int64_t half = lacking / 2 + (lacking & width & 1);  // as Python rounds
  const std::int64_t left = where == side::left ? lacking : where == side::right ? 0 : half;
  std::string made;
  for (std::int64_t i = 0; i < left; ++i) made += fill;
  made += text;
  for (std::int64_t i = left; i < lacking; ++i) made += fill;
  return made;
}

std::string filled_fields(std::string_view form, const arguments &given, budget &spending) {
  std::string made;
  std::size_t next = 0;
  for (std::size_t at = 0; at < form.size(); ++at) {
    const char c = form[at];
    if ((c == '{' || c == '}') && at + 1 < form.size() && form[at + 1] == c) {
      made += c;
      ++at;
    } else if (c == '}') {
      throw complaint("format: a } without a {");
    } else if (c == '{') {
      const auto end = form.find('}', at);
      if (end == std::string_view::npos) throw complaint("format: a { without a }");
      print(made, field(form.substr(at + 1, end - at - 1), next, given), spending);
      at = end;
    } else {
      made += c;
    }
  }
  return made;
}

value list_of(const std::vector<std::string_view> &parts, budget &spending) {
  std::vector<value> made;
  made.reserve(parts.size());
  for (const std::string_view part : parts) made.push_back(spending.text(std::string(part)));
  return spending.sequence(std::move(made));
}

}  // namespace slipstream::jinja
