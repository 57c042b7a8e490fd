#include "models/templates/printing.hpp"

#include <charconv>
#include <cmath>

#include "models/templates/unicode.hpp"

namespace slipstream::jinja {
namespace {

void append_hex(std::string &into, char32_t c) {
  constexpr char digits[] = "0123456789abcdef";
  const int count = c < 0x100 ? 2 : c < 0x10000 ? 4 : 8;
  into += count == 2 ? "\\x" : count == 4 ? "\\u" : "\\U";
  for (int i = count - 1; i >= 0; --i) into += digits[c >> (4 * i) & 15U];
}

void print_quoted(std::string &into, std::string_view text) {
  const bool single = text.find('\'') != std::string_view::npos,
             twice = text.find('"') != std::string_view::npos;
  const char quote = single && !twice ? '"' : '\'';
  into += quote;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t from = at;
    const char32_t c = next_character(text, at);
    if (c == static_cast<char32_t>(quote) || c == '\\')
      (into += '\\') += static_cast<char>(c);
    else if (c == '\n' || c == '\r' || c == '\t')
      into += c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t";
    else if (is_printable(c))
      into += text.substr(from, at - from);
    else
      append_hex(into, c);
  }
  into += quote;
}

void print_items(std::string &into, const std::vector<value> &items, budget &spending) {
  bool first = true;
  for (const value &each : items) {
    if (!first) into += ", ";
    first = false;
    print_literal(into, each, spending);
  }
}

void print_map(std::string &into, const map_object &map, budget &spending) {
  into += '{';
  bool first = true;
  for (const auto &[key, content] : map.entries) {
    if (!first) into += ", ";
    first = false;
    print_literal(into, key, spending);
    into += ": ";
    print_literal(into, content, spending);
  }
  into += '}';
}

void print_range(std::string &into, const range_object &range) {
  into += "range(" + std::to_string(range.start) + ", " + std::to_string(range.stop);
  if (range.step != 1) into += ", " + std::to_string(range.step);
  into += ')';
}

void print_sequence(std::string &into, const value &what, budget &spending) {
  const bool list = what.is(kind::list), view = what.is(kind::view);
  if (view) into += std::string(what.sequence().name) + "(";
  into += list || view ? '[' : '(';
  print_items(into, what.items(), spending);
  if (!list && !view && what.items().size() == 1) into += ',';
  into += list || view ? ']' : ')';
  if (view) into += ')';
}

}  // namespace

void print_real(std::string &into, double number) {
  if (std::isnan(number)) return void(into += "nan");
  if (std::isinf(number)) return void(into += number < 0 ? "-inf" : "inf");
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, number, std::chars_format::scientific).ptr;
  std::string_view text(digits, static_cast<std::size_t>(end - digits));
  const auto mark = text.find('e');
  const int exponent = std::atoi(std::string(text.substr(mark + 1)).c_str());
  if (exponent < -4 || exponent >= 16) return void(into += text);
  std::string mantissa;
  if (text.starts_with('-')) into += '-', text.remove_prefix(1);
  for (const char c : text.substr(0, text.find('e')))
    if (c != '.') mantissa += c;
  if (exponent < 0)
    return void(into += "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + mantissa);
  const auto whole = static_cast<std::size_t>(exponent) + 1;
  if (mantissa.size() < whole) mantissa.append(whole - mantissa.size(), '0');
  into += mantissa.substr(0, whole) + "." + (mantissa.size() > whole ? mantissa.substr(whole) : "0");
}

void print_literal(std::string &into, const value &what, budget &spending) {
  spending.spend();
  spending.room(into.size());
  switch (what.what()) {
    case kind::text:
      spending.spend(what.text().size() / 16);
      return print_quoted(into, what.text());
    case kind::safe_text:
      spending.spend(what.text().size() / 16);
      into += "Markup(";
      print_quoted(into, what.text());
      return void(into += ')');
    case kind::undefined:
      return void(into += "Undefined");
    case kind::list:
    case kind::tuple:
    case kind::view:
      return print_sequence(into, what, spending);
    case kind::map:
      return print_map(into, what.map(), spending);
    default:
      return print(into, what, spending);
  }
}

void print(std::string &into, const value &what, budget &spending) {
  switch (what.what()) {
    case kind::undefined:
      return;
    case kind::none:
      return void(into += "None");
    case kind::boolean:
      return void(into += what.integer() ? "True" : "False");
    case kind::integer:
      return void(into += std::to_string(what.integer()));
    case kind::real:
      return print_real(into, what.real());
    case kind::text:
    case kind::safe_text:
      spending.spend(what.text().size() / 32);
      spending.room(into.size() + what.text().size());
      return void(into += what.text());
    case kind::list:
    case kind::tuple:
    case kind::view:
    case kind::map:
      return print_literal(into, what, spending);
    case kind::range:
      return print_range(into, what.range());
    default:
      throw complaint(std::string(type_name(what)) + " is printed, which is not supported");
  }
}

value printed(const value &what, budget &spending) {
  if (what.is_text()) return what;
  std::string text;
  print(text, what, spending);
  return spending.text(std::move(text));
}

}  // namespace slipstream::jinja
