#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace slipstream {

/// An expression's value, and the numbers written in it, in order.
struct arithmetic {
  std::int64_t value = 0;
  std::vector<std::int64_t> numbers;
};

/// Reads whole numbers joined by + - * with parentheses: * binds before + and -, equals go from the left.
/// Spaces may stand between the parts; a sign before a number or parenthesis is not allowed. Nothing when the
/// text is anything else, is nested deeper than 64, or when a number or result leaves 64 bits.
std::optional<arithmetic> parse_arithmetic(std::string_view text);

}  // namespace slipstream
