#pragma once

#include <cstddef>
#include <cstdint>

namespace slipstream::wire {

/// Rounds to the nearest bfloat16, ties to even; NaN stays NaN.
void to_bfloat16(const float *from, std::uint16_t *to, std::size_t count);
/// Widens bfloat16 to float32, which is exact.
void from_bfloat16(const std::uint16_t *from, float *to, std::size_t count);
/// Rounds each value to bfloat16 and widens it again, as a transfer does.
void round_to_bfloat16(const float *from, float *to, std::size_t count);

}  // namespace slipstream::wire
