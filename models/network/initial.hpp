#pragma once

#include <cstdint>
#include <string>

namespace slipstream {

/// Fill to[count] from a counter-based stream keyed by (seed, name): element i depends on nothing else.
void counter_normal(float *to, std::int64_t count, std::uint64_t seed, const std::string &name,
                    double deviation);
/// Uniform in (-bound, bound).
void counter_uniform(float *to, std::int64_t count, std::uint64_t seed, const std::string &name,
                     double bound);

}  // namespace slipstream
