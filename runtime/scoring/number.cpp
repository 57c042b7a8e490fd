#include "runtime/scoring/number.hpp"

#include <algorithm>
#include <cmath>

#include "models/error.hpp"
#include "runtime/scoring/number_text.hpp"

namespace slipstream {
namespace {

constexpr long double rounding = 1e-17L;  // of decimals and fractions that mean the same number

// What follows the last `mark`, up to the end.
std::optional<std::string_view> behind(std::string_view text, std::string_view mark) {
  const auto at = text.rfind(mark);
  if (at == text.npos) return {};
  return text.substr(at + mark.size());
}

// What the last \boxed{…} or \fbox{…} holds; an open one ends with the text.
std::optional<std::string_view> boxed(std::string_view text) {
  std::size_t at = text.npos, length = 0;
  for (const std::string_view name : {"\\boxed", "\\fbox"})
    if (const auto found = text.rfind(name); found != text.npos && (at == text.npos || found > at))
      at = found, length = name.size();
  if (at == text.npos) return {};
  auto rest = text.substr(at + length);
  while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  if (rest.empty()) return {};
  if (rest.front() != '{') return rest.substr(0, rest.find_first_of("$\n"));  // \boxed 5
  int depth = 0;
  for (std::size_t i = 0; i < rest.size(); ++i) {
    depth += rest[i] == '{' ? 1 : rest[i] == '}' ? -1 : 0;
    if (depth == 0) return rest.substr(1, i - 1);
  }
  return rest.substr(1);
}

}  // namespace

std::optional<long double> number_in(std::string_view text, std::string_view mark) {
  const auto first = [](std::string_view part) -> std::optional<long double> {
    const auto all = numbers_of(part);
    if (all.empty()) return {};
    return all.front();
  };
  const auto last = [](std::string_view part) -> std::optional<long double> {
    const auto all = numbers_of(part);
    if (all.empty()) return {};
    return all.back();
  };
  if (!mark.empty()) {
    const auto part = behind(text, mark);
    if (!part) return {};
    const auto box = boxed(*part);
    return box ? last(*box) : first(*part);
  }
  if (const auto box = boxed(text)) return last(*box);
  if (const auto part = behind(text, "####")) return first(*part);
  return last(text);
}

double number_score(std::string_view answer, std::string_view expected, const number_rule &rule) {
  auto wanted = number_in(expected, rule.mark);
  if (!wanted) wanted = number_in(expected);
  if (!wanted)
    throw input_error("number: \"" + std::string(expected.substr(0, 60)) +
                      "\" holds no number to compare with; an answer field reads like \"42\" or \"#### 42\"");
  const auto found = number_in(answer, rule.mark);
  if (!found) return 0;
  const long double allowed =
      std::max(rounding, static_cast<long double>(rule.tolerance)) * std::abs(*wanted);
  return std::abs(*found - *wanted) <= allowed ? 1 : rule.partial;
}

}  // namespace slipstream
