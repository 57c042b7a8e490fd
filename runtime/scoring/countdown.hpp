#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace slipstream {

/// A target and the numbers to make it from.
struct countdown_problem {
  std::int64_t target = 0;
  std::vector<std::int64_t> numbers;  ///< ascending
};

/// Reads "19 from 3 4 7". Throws input_error that shows the text and how it should read.
countdown_problem parse_countdown(std::string_view stated);

/// 1 when `answer` is an expression (see parse_arithmetic) that uses each given number exactly once and comes
/// to the target; `partial` when only its value is wrong; else 0. `stated` as parse_countdown reads it.
double countdown(std::string_view answer, std::string_view stated, double partial = 0);

}  // namespace slipstream
