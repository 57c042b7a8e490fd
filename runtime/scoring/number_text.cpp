#include "runtime/scoring/number_text.hpp"

#include <cmath>
#include <cstdlib>
#include <numbers>
#include <optional>
#include <string>
#include <utility>

namespace slipstream {
namespace {

bool is_digit(char byte) {
  return byte >= '0' && byte <= '9';
}
bool is_letter(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

void replace_all(std::string &text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != text.npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

// One spelling of what has several: signs, spaces between thousands, fractions in one character, LaTeX's
// spaces.
std::string one_spelling(std::string_view given) {
  std::string text(given);
  constexpr std::pair<const char *, const char *> spellings[] = {
      {"\u2212", "-"},       {"\uff0d", "-"},       {"{,}", ","},          {"\\,", "\u2009"},
      {"\u202f", "\u2009"},  {"\u00a0", "\u2009"},  {"\\!", ""},           {"\\left", ""},
      {"\\right", ""},       {"\\dfrac", "\\frac"}, {"\\tfrac", "\\frac"}, {"\\cfrac", "\\frac"},
      {"\u00d7", "\\times"}, {"\\cdot", "\\times"}, {"\u03c0", "\\pi"},    {"\u221a", "\\sqrt"},
      {"\u2044", "/"},       {"\\$", "$"},          {"\\%", "%"},          {"\\;", " "},
      {"\\ ", " "},          {"\u00bd", " 1/2 "},   {"\u00bc", " 1/4 "},   {"\u00be", " 3/4 "},
      {"\u2153", " 1/3 "},   {"\u2154", " 2/3 "},   {"\u2155", " 1/5 "},   {"\u2156", " 2/5 "},
      {"\u2157", " 3/5 "},   {"\u2158", " 4/5 "},   {"\u2159", " 1/6 "},   {"\u215a", " 5/6 "},
      {"\u215b", " 1/8 "},   {"\u215c", " 3/8 "},   {"\u215d", " 5/8 "},   {"\u215e", " 7/8 "}};
  for (const auto &[from, to] : spellings) replace_all(text, from, to);
  return text;
}

constexpr std::string_view thin_space = "\u2009";

class number_scanner {
 public:
  explicit number_scanner(std::string_view text) : text_(one_spelling(text)) {}

  std::vector<long double> all() {
    std::vector<long double> found;
    while (at_ < text_.size()) {
      if (starts_number()) {
        const auto begin = at_;
        if (const auto value = number()) {
          found.push_back(negative(begin) ? -*value : *value);
          continue;
        }
        at_ = begin;
      }
      skip();
    }
    return found;
  }

 private:
  char here(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }
  bool next(std::string_view word) const { return std::string_view(text_).substr(at_).starts_with(word); }
  bool take(std::string_view word) {
    if (!next(word)) return false;
    at_ += word.size();
    return true;
  }
  void spaces() {
    while (here() == ' ') ++at_;
  }

  bool starts_number() const {
    const char before = at_ > 0 ? text_[at_ - 1] : ' ';
    if (next("\\frac") || next("\\sqrt") || next("\\pi")) return true;
    if (is_letter(before) || before == '_') return false;  // "H2O", "x_1"
    if (is_digit(here())) return true;
    return here() == '.' && is_digit(here(1)) && !is_digit(before);
  }

  // Goes past what is no number; exponents and indices of letters are none either.
  void skip() {
    if (here() == '^' || here() == '_') {
      ++at_;
      if (take("{")) {
        while (at_ < text_.size() && text_[at_] != '}') ++at_;
        return;
      }
      if (here() == '-') ++at_;
      while (is_digit(here())) ++at_;
      return;
    }
    if (is_letter(here())) {  // digits that belong to a word
      while (is_letter(here()) || is_digit(here())) ++at_;
      return;
    }
    if (here() == '\\' && is_letter(here(1))) {
      ++at_;
      while (is_letter(here())) ++at_;
      return;
    }
    if (is_digit(here()) || (here() == '.' && is_digit(here(1)))) {  // a number that could not be read
      ++at_;
      while (is_digit(here())) ++at_;
      return;
    }
    ++at_;
  }

  // A group of three digits behind a separator, and no fourth.
  bool thousands(std::size_t ahead) const {
    return is_digit(here(ahead)) && is_digit(here(ahead + 1)) && is_digit(here(ahead + 2)) &&
           !is_digit(here(ahead + 3));
  }

  // Digits, separators, decimals and an exponent.
  std::optional<long double> decimal() {
    std::string digits;
    while (is_digit(here())) digits += text_[at_++];
    if (!digits.empty() && digits.size() <= 3)
      for (const std::string_view separator : {std::string_view(","), thin_space})
        while (next(separator) && thousands(separator.size()))
          for (at_ += separator.size(); is_digit(here());) digits += text_[at_++];
    if (here() == '.' && is_digit(here(1))) {
      digits += text_[at_++];
      while (is_digit(here())) digits += text_[at_++];
    }
    if (digits.empty() || digits.size() > 400) return {};
    exponent(digits);
    return std::strtold(digits.c_str(), nullptr);
  }

  void exponent(std::string &digits) {
    if (here() != 'e' && here() != 'E') return;
    const std::size_t sign = here(1) == '-' || here(1) == '+' ? 1 : 0;
    std::size_t end = 1 + sign;
    while (is_digit(here(end))) ++end;
    if (end == 1 + sign || end > 6 || is_letter(here(end))) return;
    digits += text_.substr(at_, end);
    at_ += end;
  }

  // What a LaTeX command takes: {…} with one number in it, or one digit.
  std::optional<long double> argument() {
    if (depth_ == deepest) return {};
    ++depth_;
    const auto value = inner_argument();
    --depth_;
    return value;
  }

  std::optional<long double> inner_argument() {
    spaces();
    if (!take("{")) {
      if (!is_digit(here())) return {};
      return static_cast<long double>(text_[at_++] - '0');
    }
    spaces();
    const bool minus = take("-");
    spaces();
    if (!starts_number()) return {};
    const auto value = number();
    spaces();
    if (!value || !take("}")) return {};
    return minus ? -value.value() : value.value();
  }

  std::optional<long double> fraction() {
    const auto above = argument(), below = above ? argument() : std::nullopt;
    if (!above || !below || *below == 0) return {};
    return *above / *below;
  }

  std::optional<long double> root() {
    if (here() == '[') return {};
    auto value = here() == '('                                              ? parenthesised()
                 : is_digit(here()) && here(1) != '\0' && is_digit(here(1)) ? decimal()
                                                                            : argument();
    if (!value || *value < 0) return {};
    return std::sqrt(*value);
  }

  std::optional<long double> parenthesised() {
    take("(");
    auto value = is_digit(here()) ? decimal() : std::nullopt;
    if (!value || !take(")")) return {};
    return value;
  }

  // A root, a fraction or π by itself or behind a number.
  std::optional<long double> command() {
    if (take("\\frac")) return fraction();
    if (take("\\sqrt")) return root();
    if (take("\\pi")) return std::numbers::pi_v<long double>;
    return {};
  }

  std::optional<long double> number() {
    if (here() == '\\') return with_quotient(with_factors(command()));
    auto value = decimal();
    if (!value) return {};
    value = with_power(*value);
    if (auto mixed = with_fraction(*value)) return mixed;
    return with_quotient(with_factors(value));
  }

  // "2^{10}", and "3 \times 10^5".
  std::optional<long double> with_power(long double base) {
    const auto before = at_;
    if (take("^")) {
      auto power = here() == '{' ? argument() : is_digit(here()) ? decimal() : std::optional<long double>();
      if (power && std::abs(*power) <= 1000 && *power == std::floor(*power)) return std::pow(base, *power);
      at_ = before;
      return base;
    }
    spaces();
    if (take("\\times") || take("x ") || take("* ")) {
      spaces();
      if (take("10^")) {
        const bool braces = here() == '{';
        auto power = braces ? argument() : signed_digits();
        if (power && std::abs(*power) <= 4000) return base * std::pow(10.0L, *power);
      }
    }
    at_ = before;
    return base;
  }

  std::optional<long double> signed_digits() {
    const bool minus = take("-");
    auto value = is_digit(here()) ? decimal() : std::nullopt;
    return value && minus ? -*value : value;
  }

  // A whole number before a fraction: "1 3/4", "1\frac{3}{4}".
  std::optional<long double> with_fraction(long double whole) {
    const auto before = at_;
    spaces();
    std::optional<long double> part;
    if (take("\\frac")) {
      part = fraction();
    } else if (at_ > before && is_digit(here())) {
      const auto above = decimal();
      if (above && take("/") && is_digit(here())) {
        const auto below = decimal();
        if (below && *below > *above && here() != '/') part = *above / *below;
      }
    }
    if (part && whole == std::floor(whole) && *part < 1 && *part > 0) return whole + *part;
    at_ = before;
    return {};
  }

  // "2\sqrt{3}", "4\pi".
  std::optional<long double> with_factors(std::optional<long double> value) {
    while (value) {
      const auto before = at_;
      spaces();
      if (!next("\\sqrt") && !next("\\pi")) {
        at_ = before;
        break;
      }
      const auto factor = command();
      if (!factor) {
        at_ = before;
        break;
      }
      value = *value * *factor;
    }
    return value;
  }

  // "3/4", "3 / 4", "\pi/2"; a date is three numbers.
  std::optional<long double> with_quotient(std::optional<long double> value) {
    const auto before = at_;
    spaces();
    const bool first = begin_of_quotient(before);
    if (value && first && take("/")) {
      spaces();
      const bool number_follows = is_digit(here());
      const auto below = number_follows ? decimal() : std::nullopt;
      if (below && *below != 0 && here() != '/') return *value / *below;
    }
    at_ = before;
    return value;
  }

  // Whether no "/" stands before the number that ends here.
  bool begin_of_quotient(std::size_t end) const {
    std::size_t i = end;
    while (i > 0 && (is_digit(text_[i - 1]) || text_[i - 1] == ' ')) --i;
    return i == 0 || text_[i - 1] != '/';
  }

  // Whether a sign stands before the number at `begin`: not the minus of "17-25" or "5 - 3", nor a list's
  // dash.
  bool negative(std::size_t begin) const {
    std::size_t i = begin;
    const auto back = [&](char byte) {
      if (i == 0 || text_[i - 1] != byte) return false;
      --i;
      return true;
    };
    while (back('$') || back('(')) {
    }
    std::size_t gap = 0;
    while (back(' ')) ++gap;
    if (!back('-')) return false;
    std::size_t before = i;
    while (before > 0 && text_[before - 1] == ' ') --before;
    if (before == 0 || text_[before - 1] == '\n') return gap == 0;
    const char last = text_[before - 1];
    const bool operand =
        is_digit(last) || is_letter(last) || last == ')' || last == '}' || last == '%' || last == '|';
    if (!operand) return true;
    return is_letter(last) && before < i && gap == 0;  // "is -3"
  }

  static constexpr int deepest = 16;

  std::string text_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

std::vector<long double> numbers_of(std::string_view text) {
  return number_scanner(text).all();
}

}  // namespace slipstream
