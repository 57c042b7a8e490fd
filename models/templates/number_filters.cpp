#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "models/templates/filters.hpp"
#include "models/templates/operators.hpp"
#include "models/templates/unicode.hpp"

namespace slipstream::jinja {
namespace {

// A number's text as Python reads it: white space around, single underscores between digits.
std::optional<std::string> plain_number(std::string_view text) {
  text = strip(text);
  std::string made;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digit = [&](std::size_t at) { return at < text.size() && text[at] >= '0' && text[at] <= '9'; };
    if (static_cast<unsigned char>(text[i]) >= 0x80) {
      std::size_t at = i;
      if (is_decimal(next_character(text, at)))
        throw complaint("a number in digits beyond ASCII is not supported");
      return {};
    }
    if (text[i] == '_' && i > 0 && digit(i - 1) && digit(i + 1)) continue;
    if (text[i] == '_') return {};
    made += text[i];
  }
  return made;
}

std::optional<std::int64_t> whole_number(const std::string &text) {
  std::string_view digits = text;
  const bool minus = digits.starts_with('-');
  if (minus || digits.starts_with('+')) digits.remove_prefix(1);
  if (digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos) return {};
  const std::string signed_digits = (minus ? "-" : "") + std::string(digits);
  std::int64_t made = 0;
  if (std::from_chars(signed_digits.data(), signed_digits.data() + signed_digits.size(), made).ec !=
      std::errc())
    throw complaint("int: the number " + text + " is beyond 64 bits, which is not supported");
  return made;
}

std::optional<double> real_number(const std::string &text) {
  if (text.empty() || is_space(static_cast<unsigned char>(text[0])) ||
      text.find_first_of("xXpP(") != std::string::npos)
    return {};
  char *end = nullptr;
  const double made = std::strtod(text.c_str(), &end);
  if (*end != '\0') return {};
  return made;
}

value truncated(double number, const value &otherwise) {
  if (std::isinf(number)) throw complaint("int of an infinite float");
  if (std::isnan(number)) return otherwise;
  if (std::abs(number) >= 9.2e18) throw complaint("int of a float beyond 64 bits, which is not supported");
  return value(static_cast<std::int64_t>(number));
}

value to_int(const value &self, const arguments &given, budget &) {
  const bound args("int", given, {"default", "base"});
  if (args.integer(1, 10) != 10) throw complaint("int with a base other than 10 is not supported");
  const value otherwise = args.get(0) ? *args.get(0) : value(std::int64_t{0});
  if (self.is_whole()) return value(self.integer());
  if (self.is(kind::real)) return truncated(self.real(), otherwise);
  if (self.is_undefined()) refuse_undefined(self);
  if (!self.is_text()) return otherwise;
  const auto plain = plain_number(self.text());
  if (!plain) return otherwise;
  if (const auto whole = whole_number(*plain)) return value(*whole);
  const auto number = real_number(*plain);
  return number && std::isfinite(*number) ? truncated(*number, otherwise) : otherwise;
}

value to_float(const value &self, const arguments &given, budget &) {
  const bound args("float", given, {"default"});
  const value otherwise = args.get(0) ? *args.get(0) : value(0.0);
  if (self.is_number()) return value(self.as_real());
  if (self.is_undefined()) refuse_undefined(self);
  if (!self.is_text()) return otherwise;
  const auto plain = plain_number(self.text());
  const auto number = plain ? real_number(*plain) : std::nullopt;
  return number ? value(*number) : otherwise;
}

value absolute(const value &self, const arguments &given, budget &) {
  const bound none("abs", given, {});
  if (self.is(kind::real)) return value(std::abs(self.real()));
  if (self.is_whole() && self.integer() >= 0) return value(self.integer());
  return negated(self);
}

value rounded(const value &self, const arguments &given, budget &) {
  const bound args("round", given, {"precision", "method"});
  const std::int64_t precision = args.integer(0);
  const std::string_view how = args.text(1, "common");
  if (!self.is_number()) throw complaint(std::string("round of ") + type_name(self));
  if (precision < 0 || precision > 300) throw complaint("round: the precision must be from 0 to 300");
  if (how == "common") {
    if (self.is_whole()) return value(self.integer());
    if (!std::isfinite(self.real())) return self;
    char text[700];
    std::snprintf(text, sizeof text, "%.*f", static_cast<int>(precision), self.real());
    return value(std::strtod(text, nullptr));
  }
  if (how != "ceil" && how != "floor") throw complaint("round: the method must be common, ceil or floor");
  const double scale = std::pow(10.0, static_cast<double>(precision)), scaled = self.as_real() * scale;
  if (!std::isfinite(scaled)) throw complaint("round of a float that is too large");
  const double whole = how == "ceil" ? std::ceil(scaled) : std::floor(scaled);
  return value((whole == 0 ? 0.0 : whole) / scale);
}

value sum(const value &self, const arguments &given, budget &spending) {
  const bound args("sum", given, {"attribute", "start"});
  value made = args.get(1) ? *args.get(1) : value(std::int64_t{0});
  if (made.is_text()) throw complaint("sum: strings cannot be added up; join them");
  for (const value &each : items_of(self, spending))
    made =
        calculate(op::add, made, args.given(0) ? item_by_path(each, *args.get(0), spending) : each, spending);
  return made;
}

constexpr std::array number_filters_rows{filter_row{"int", to_int}, filter_row{"float", to_float},
                                         filter_row{"abs", absolute}, filter_row{"round", rounded},
                                         filter_row{"sum", sum}};

}  // namespace

std::span<const filter_row> number_filters() {
  return number_filters_rows;
}

}  // namespace slipstream::jinja
