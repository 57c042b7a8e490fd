#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace slipstream {

/// The number that an answer comes to: what stands behind the last `mark` where one is given, else in the
/// last LaTeX \boxed{}, else behind "####" (as in GSM8K), else the last number of the text. Numbers have
/// signs, thousands separators, decimals, powers of ten, fractions (3/4, 1 3/4, \frac{3}{4}, ¾), \sqrt{2} and
/// \pi; currencies, percent signs and units are passed over. Nothing where there is none.
std::optional<long double> number_in(std::string_view text, std::string_view mark = {});

/// What scorer.number compares with, and how.
struct number_rule {
  std::string mark;      ///< before the answer's number; empty: the last one counts
  double tolerance = 0;  ///< relative to the expected number
  double partial = 0;    ///< of an answer whose number is another
};

/// 1 when the answer's number is the expected text's, `partial` when it is another, 0 without one. Throws
/// input_error when the expected text holds no number.
double number_score(std::string_view answer, std::string_view expected, const number_rule &rule = {});

}  // namespace slipstream
