#include <algorithm>
#include <array>

#include "models/templates/methods.hpp"
#include "models/templates/unicode.hpp"

namespace slipstream::jinja {
namespace {

template <bool (*Is)(char32_t)>
value all_are(const value &self, const arguments &given, budget &) {
  const bound none("a string's test", given, {});
  const std::string_view text = self.text();
  for (std::size_t at = 0; at < text.size();)
    if (!Is(next_character(text, at))) return value(false);
  return value(!text.empty());
}

// At least one character has a case, and none the other.
template <bool (*Is)(char32_t), bool (*Other)(char32_t)>
value all_cased(const value &self, const arguments &given, budget &) {
  const bound none("a string's test", given, {});
  const std::string_view text = self.text();
  bool found = false;
  for (std::size_t at = 0; at < text.size();) {
    const char32_t c = next_character(text, at);
    if (Other(c) || is_title(c)) return value(false);
    found |= Is(c);
  }
  return value(found);
}

// Digits that are no decimals (superscripts, fractions) are refused rather than guessed.
bool digit(char32_t c) {
  if (c < 0x80) return c >= '0' && c <= '9';
  if (is_decimal(c)) return true;
  if (is_letter(c) || is_space(c)) return false;
  throw complaint("whether a character beyond ASCII is a digit is not supported");
}

bool letter_or_digit(char32_t c) {
  return is_letter(c) || (c < 0x80 ? c >= '0' && c <= '9' : digit(c));
}

bool ascii_letter(char32_t c) {
  return c < 0x80;
}

value ascii(const value &self, const arguments &given, budget &spending) {
  return self.text().empty() ? value(true) : all_are<ascii_letter>(self, given, spending);
}

value printable(const value &self, const arguments &given, budget &spending) {
  return self.text().empty() ? value(true) : all_are<is_printable>(self, given, spending);
}

struct text_test_row {
  std::string_view name;
  method call;
};
constexpr std::array text_test_rows{text_test_row{"isspace", all_are<is_space>},
                                    text_test_row{"isalpha", all_are<is_letter>},
                                    text_test_row{"isdigit", all_are<digit>},
                                    text_test_row{"isnumeric", all_are<digit>},
                                    text_test_row{"isdecimal", all_are<is_decimal>},
                                    text_test_row{"isalnum", all_are<letter_or_digit>},
                                    text_test_row{"isascii", ascii},
                                    text_test_row{"isprintable", printable},
                                    text_test_row{"islower", all_cased<is_lower, is_upper>},
                                    text_test_row{"isupper", all_cased<is_upper, is_lower>}};

}  // namespace

method find_text_test(std::string_view name) {
  for (const text_test_row &each : text_test_rows)
    if (each.name == name) return each.call;
  return nullptr;
}

}  // namespace slipstream::jinja
