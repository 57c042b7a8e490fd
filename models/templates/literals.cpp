#include <charconv>
#include <cstdlib>

#include "models/templates/budget.hpp"
#include "models/templates/lexer.hpp"
#include "models/templates/unicode.hpp"

namespace slipstream::jinja {
namespace {

bool digit(char c, int base = 10) {
  if (c >= '0' && c <= '9') return c - '0' < base;
  const char small = static_cast<char>(c | 0x20);
  return base == 16 && small >= 'a' && small <= 'f';
}

// Digits with single underscores between them.
std::size_t digits(std::string_view text, std::size_t at, int base = 10) {
  const std::size_t from = at;
  while (at < text.size() && (digit(text[at], base) || (text[at] == '_' && at > from &&
                                                        at + 1 < text.size() && digit(text[at + 1], base))))
    ++at;
  return at - from;
}

std::size_t exponent(std::string_view text, std::size_t at) {
  if (at >= text.size() || (text[at] | 0x20) != 'e') return 0;
  std::size_t to = at + 1;
  if (to < text.size() && (text[to] == '+' || text[to] == '-')) ++to;
  const std::size_t count = digits(text, to);
  return count == 0 ? 0 : to + count - at;
}

int base_of(std::string_view text) {
  if (text.size() < 2 || text[0] != '0') return 10;
  const char mark = static_cast<char>(text[1] | 0x20);
  return mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 10;
}

std::size_t real_length(std::string_view text) {
  const std::size_t whole = digits(text, 0);
  std::size_t to = whole;
  if (to + 1 < text.size() && text[to] == '.')
    if (const std::size_t part = digits(text, to + 1)) to += 1 + part;
  to += exponent(text, to);
  return whole > 0 && to > whole ? to : 0;
}

// The character of `count` hexadecimal digits behind \x, \u or \U.
char32_t coded(std::string_view text, std::size_t &at, std::size_t count) {
  char32_t c = 0;
  const std::string_view part = text.substr(at, count);
  const auto [end, wrong] =
      std::from_chars(part.data(), part.data() + part.size(), reinterpret_cast<std::uint32_t &>(c), 16);
  if (wrong != std::errc() || part.size() != count || end != part.data() + count)
    throw complaint("a character's code in a string is cut short");
  if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
    throw complaint("a string holds a code that is no character (surrogates are not supported)");
  at += count;
  return c;
}

char32_t octal(std::string_view text, std::size_t &at) {
  char32_t c = 0;
  for (int i = 0; i < 3 && at < text.size() && text[at] >= '0' && text[at] <= '7'; ++i)
    c = c * 8 + static_cast<char32_t>(text[at++] - '0');
  return c;
}

// What stands behind a backslash; `at` is moves behind it.
void append_escape(std::string &made, std::string_view text, std::size_t &at) {
  const char c = text[at++];
  constexpr std::string_view names = "\\'\"abfnrtv", meanings = "\\'\"\a\b\f\n\r\t\v";
  if (const auto found = names.find(c); found != std::string_view::npos)
    made += meanings[found];
  else if (c == 'x' || c == 'u' || c == 'U')
    append_character(made, coded(text, at, c == 'x' ? 2 : c == 'u' ? 4 : 8));
  else if (c >= '0' && c <= '7')
    append_character(made, octal(text, --at));
  else if (c == 'N')
    throw complaint("characters by name (\\N) are not supported");
  else if (static_cast<unsigned char>(c) >= 0x80)
    throw complaint("a backslash before a character that is not ASCII is not supported");
  else if (c != '\n')
    (made += '\\') += c;
}

}  // namespace

std::string unescaped(std::string_view quoted) {
  const std::string_view text = quoted.substr(1, quoted.size() - 2);
  std::string made;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] == '\\')
      append_escape(made, text, ++at);
    else
      made += text[at++];
  }
  return made;
}

std::size_t number_length(std::string_view text, bool after_dot, bool &real) {
  const std::size_t length = after_dot ? 0 : real_length(text);
  real = length > 0;
  if (real) return length;
  if (const int base = base_of(text); base != 10) {
    const std::size_t skipped = text.size() > 2 && text[2] == '_' ? 3 : 2;
    if (const std::size_t count = digits(text, skipped, base)) return skipped + count;
  }
  if (text.empty() || !digit(text[0])) return 0;
  if (text[0] != '0') return digits(text, 0);
  std::size_t to = 1;
  while (to < text.size() &&
         (text[to] == '0' || (text[to] == '_' && to + 1 < text.size() && text[to + 1] == '0')))
    ++to;
  return to;
}

value number_of(std::string_view literal, bool real) {
  std::string plain;
  for (const char c : literal)
    if (c != '_') plain += c;
  if (real) return value(std::strtod(plain.c_str(), nullptr));
  const int base = base_of(plain);
  std::int64_t number = 0;
  const char *from = plain.data() + (base == 10 ? 0 : 2), *to = plain.data() + plain.size();
  if (std::from_chars(from, to, number, base).ec != std::errc())
    throw complaint("the number " + plain + " is beyond 64 bits, which is not supported");
  return value(number);
}

}  // namespace slipstream::jinja
