#include "models/engine/random.hpp"

namespace slipstream {
namespace {

constexpr std::uint32_t multiplier_even = 0xD2511F53, multiplier_odd = 0xCD9E8D57;
constexpr std::uint32_t weyl_even = 0x9E3779B9, weyl_odd = 0xBB67AE85;  // golden ratio, sqrt(3) - 1
constexpr int rounds = 10;

std::uint32_t high(std::uint64_t value) {
  return static_cast<std::uint32_t>(value >> 32);
}
std::uint32_t low(std::uint64_t value) {
  return static_cast<std::uint32_t>(value);
}

}  // namespace

philox_block philox(std::uint64_t key, std::uint64_t counter_high, std::uint64_t counter_low) {
  std::uint32_t k0 = low(key), k1 = high(key);
  philox_block c{{low(counter_low), high(counter_low), low(counter_high), high(counter_high)}};
  for (int round = 0; round < rounds; ++round, k0 += weyl_even, k1 += weyl_odd) {
    const std::uint64_t even = std::uint64_t{multiplier_even} * c.words[0];
    const std::uint64_t odd = std::uint64_t{multiplier_odd} * c.words[2];
    c = {{high(odd) ^ c.words[1] ^ k0, low(odd), high(even) ^ c.words[3] ^ k1, low(even)}};
  }
  return c;
}

double uniform(std::uint64_t seed, std::uint64_t stream, std::uint32_t sample, std::uint32_t position) {
  const philox_block block = philox(seed, stream, (std::uint64_t{sample} << 32) | position);
  const std::uint64_t bits = (std::uint64_t{block.words[0]} << 32) | block.words[1];
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

}  // namespace slipstream
