#pragma once

#include <cstdint>

namespace slipstream {

/// Which arithmetic the kernels follow on the CPU: it changes whenever the same computation gives other bits.
/// Journals carry it, so that the replay of a run with another arithmetic compares within a tolerance. 1:
/// products through BLAS, or sums without fused multiply-adds (no journal of those times says so). 2: chains
/// of fused multiply-adds (models/arithmetic/).
constexpr std::int64_t arithmetic_number = 2;

}  // namespace slipstream
