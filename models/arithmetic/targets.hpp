#pragma once

#include <string>

// Instruction sets that the kernels are compiled for. Those left out would cost compile time and gain
// nothing: either they have no vectors that are wider, or their width is not known when the program is
// compiled.
#define HWY_DISABLED_TARGETS \
  (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)

namespace slipstream::arithmetic {

/// The instruction set that the kernels use on this processor: "AVX3" (AVX-512), "AVX2", "NEON", "SSE2". The
/// environment variable SLIPSTREAM_INSTRUCTIONS (avx2, base) chooses a lesser one: results have the same bits
/// with each.
std::string instruction_set();

}  // namespace slipstream::arithmetic
