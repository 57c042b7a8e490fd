#pragma once

#include <cstdint>

namespace slipstream {

/// Philox4x32-10 (Salmon et al., SC 2011): four 32-bit words from a key and a counter. Stateless.
struct philox_block {
  std::uint32_t words[4];
};
philox_block philox(std::uint64_t key, std::uint64_t counter_high, std::uint64_t counter_low);

/// A uniform number in [0,1) with 53 bits for (seed, stream, sample, position).
double uniform(std::uint64_t seed, std::uint64_t stream, std::uint32_t sample, std::uint32_t position);

}  // namespace slipstream
