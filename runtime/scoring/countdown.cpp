#include "runtime/scoring/countdown.hpp"

#include <algorithm>
#include <charconv>
#include <string>

#include "models/error.hpp"
#include "runtime/scoring/arithmetic.hpp"

namespace slipstream {
namespace {

/// Takes a number off the front; false when there is none.
bool take(std::string_view &text, std::int64_t &value) {
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (problem != std::errc()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

bool take(std::string_view &text, std::string_view word) {
  if (!text.starts_with(word)) return false;
  text.remove_prefix(word.size());
  return true;
}

}  // namespace

countdown_problem parse_countdown(std::string_view stated) {
  countdown_problem result;
  auto left = stated;
  bool whole = take(left, result.target) && take(left, " from");
  while (whole && !left.empty()) {
    std::int64_t value = 0;
    whole = take(left, " ") && take(left, value);
    result.numbers.push_back(value);
  }
  if (!whole || result.numbers.empty())
    throw input_error("countdown: \"" + std::string(stated) +
                      "\" states no problem; an answer field reads like \"19 from 3 4 7\"");
  std::sort(result.numbers.begin(), result.numbers.end());
  return result;
}

double countdown(std::string_view answer, std::string_view stated, double partial) {
  const auto task = parse_countdown(stated);
  auto read = parse_arithmetic(answer);
  if (!read) return 0;
  std::sort(read->numbers.begin(), read->numbers.end());
  if (read->numbers != task.numbers) return 0;
  return read->value == task.target ? 1 : partial;
}

}  // namespace slipstream
