#include "runtime/wire/bfloat16.hpp"

#include <bit>

namespace slipstream::wire {
namespace {

std::uint16_t rounded(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t nearest = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  return static_cast<std::uint16_t>((bits & 0x7fffffff) > 0x7f800000 ? 0x7fc0 : nearest);
}

float widened(std::uint16_t value) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(value) << 16);
}

}  // namespace

void to_bfloat16(const float *from, std::uint16_t *to, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) to[i] = rounded(from[i]);
}

void from_bfloat16(const std::uint16_t *from, float *to, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) to[i] = widened(from[i]);
}

void round_to_bfloat16(const float *from, float *to, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) to[i] = widened(rounded(from[i]));
}

}  // namespace slipstream::wire
