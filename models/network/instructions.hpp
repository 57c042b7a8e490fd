#pragma once

/// Each kernel's body is written once and compiled for several instruction sets, chosen when the program
/// runs. Only the number of elements computed at once differs between them, never the order within an
/// element.
#if defined(__x86_64__) && defined(__GNUC__)
#define SLIPSTREAM_WIDE __attribute__((target("avx2")))
#define SLIPSTREAM_WIDEST __attribute__((target("avx512f")))
#else
#define SLIPSTREAM_WIDE
#define SLIPSTREAM_WIDEST
#endif

namespace slipstream::kernels {

enum class instructions { base, avx2, avx512 };

inline instructions best_instructions() {
#if defined(__x86_64__) && defined(__GNUC__)
  if (__builtin_cpu_supports("avx512f")) return instructions::avx512;
  if (__builtin_cpu_supports("avx2")) return instructions::avx2;
#endif
  return instructions::base;
}

/// The widest instructions of this processor that the kernels are compiled for.
inline const instructions chosen = best_instructions();

}  // namespace slipstream::kernels
