#include "models/tokenizers/regex_dialect.hpp"

#include <algorithm>
#include <array>

namespace slipstream {
namespace {

constexpr std::array<std::string_view, 37> categories{
    "L",  "Lu", "Ll", "Lt", "Lm", "Lo", "M",  "Mn", "Mc", "Me", "N",  "Nd", "Nl",
    "No", "P",  "Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "S",  "Sm", "Sc", "Sk",
    "So", "Z",  "Zs", "Zl", "Zp", "C",  "Cc", "Cf", "Co", "Cs", "Cn"};

bool one_of(char c, std::string_view of) {
  return of.find(c) != std::string_view::npos;
}

// \X at the front of `rest`: drops it, or says what is wrong.
std::string_view escape(std::string_view &rest) {
  if (rest.size() < 2) return "a backslash at the end";
  const char kind = rest[1];
  rest.remove_prefix(2);
  if (one_of(kind, "rntfsSdD") || one_of(kind, "\\/.|()[]{}^$*+?-!\"#%&',:;<=>@_`~ ")) return "";
  if (kind != 'p' && kind != 'P') return "an escape other than \\s \\d \\r \\n \\t \\f \\p{..}";
  const auto end = rest.find('}');
  if (!rest.starts_with('{') || end == std::string_view::npos) return "\\p without {..}";
  std::string_view name = rest.substr(1, end - 1);
  if (name.starts_with('^')) name.remove_prefix(1);
  rest.remove_prefix(end + 1);
  return std::find(categories.begin(), categories.end(), name) == categories.end()
             ? "a property that is no general category"
             : "";
}

// [...] at the front of `rest`.
std::string_view bracket(std::string_view &rest) {
  rest.remove_prefix(rest.starts_with("[^") ? 2 : 1);
  if (rest.starts_with(']')) return "a class that begins with ]";
  while (!rest.empty() && rest.front() != ']') {
    if (rest.front() == '\\') {
      if (const auto wrong = escape(rest); !wrong.empty()) return wrong;
      continue;
    }
    if (rest.front() == '[') return "a class within a class";
    if (rest.starts_with("&&")) return "&& in a class";
    rest.remove_prefix(1);
  }
  if (rest.empty()) return "a class without an end";
  rest.remove_prefix(1);
  return "";
}

// (?i:...) may hold ASCII letters, apostrophes and alternatives: there the two fold alike.
std::string_view caseless(std::string_view &rest) {
  rest.remove_prefix(4);
  const auto end = rest.find(')');
  const auto inside = rest.substr(0, end);
  const bool plain = std::all_of(inside.begin(), inside.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '\'' || c == '|';
  });
  if (end == std::string_view::npos || !plain) return "more than letters in (?i:...)";
  rest.remove_prefix(end + 1);
  return "";
}

std::string_view group(std::string_view &rest) {
  if (rest.starts_with("(?i:")) return caseless(rest);
  for (const std::string_view opening : {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>"})
    if (rest.starts_with(opening)) {
      rest.remove_prefix(opening.size());
      return "";
    }
  if (rest.starts_with("(?") || rest.starts_with("(*"))
    return "a group of another kind than (?: (?i: (?= (?! (?<= (?<!";
  rest.remove_prefix(1);
  return "";
}

// {m}, {m,} or {m,n}; what follows must not change its greed: Ruby reads {m,n}+ as a repetition of it.
std::string_view interval(std::string_view &rest) {
  const auto end = rest.find('}');
  const auto inside = rest.substr(1, end == std::string_view::npos ? 0 : end - 1);
  const bool good = !inside.empty() && inside.front() != ',' &&
                    inside.find_first_not_of("0123456789,") == inside.npos &&
                    std::count(inside.begin(), inside.end(), ',') <= 1;
  if (!good) return "a brace that is no {m,n}";
  rest.remove_prefix(end + 1);
  return !rest.empty() && one_of(rest.front(), "+?*{") ? "{m,n} followed by + or ? or *" : "";
}

}  // namespace

std::string_view dialect_difference(std::string_view pattern) {
  for (std::string_view rest = pattern; !rest.empty();) {
    std::string_view wrong;
    switch (rest.front()) {
      case '\\':
        wrong = escape(rest);
        break;
      case '[':
        wrong = bracket(rest);
        break;
      case '(':
        wrong = group(rest);
        break;
      case '{':
        wrong = interval(rest);
        break;
      case '^':
      case '$':
        wrong = "^ or $";
        break;
      default:
        rest.remove_prefix(1);
    }
    if (!wrong.empty()) return wrong;
  }
  return "";
}

}  // namespace slipstream
