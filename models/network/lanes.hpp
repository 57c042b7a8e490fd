#pragma once

#include <cstdint>
#include <cstring>

/// Vectors of the compiler's own extension (GCC, Clang): lane-wise arithmetic that rounds as single floats
/// do. Helpers are always inlined into the function that names the instruction set, hence references and no
/// returns.
namespace slipstream::kernels {

#define SLIPSTREAM_INLINE inline __attribute__((always_inline))

using lanes4 = float __attribute__((vector_size(16)));
using lanes8 = float __attribute__((vector_size(32)));
using lanes16 = float __attribute__((vector_size(64)));
using ints8 = std::int32_t __attribute__((vector_size(32)));

template <class V>
SLIPSTREAM_INLINE void load(V &to, const float *from) {
  std::memcpy(&to, from, sizeof(V));
}
template <class V>
SLIPSTREAM_INLINE void store(float *to, const V &from) {
  std::memcpy(to, &from, sizeof(V));
}

/// The first n (< 8) floats; the other lanes are 0.
SLIPSTREAM_INLINE void load_some(lanes8 &to, const float *from, std::int64_t n) {
  to = lanes8{};
  for (std::int64_t i = 0; i < n; ++i) to[i] = from[i];
}
SLIPSTREAM_INLINE void store_some(float *to, const lanes8 &from, std::int64_t n) {
  for (std::int64_t i = 0; i < n; ++i) to[i] = from[i];
}

/// The sum of eight lanes, in one fixed tree.
SLIPSTREAM_INLINE float sum(const lanes8 &x) {
  return ((x[0] + x[4]) + (x[2] + x[6])) + ((x[1] + x[5]) + (x[3] + x[7]));
}

/// The sum of x[0 .. n) in eight partial sums.
SLIPSTREAM_INLINE float total(const float *x, std::int64_t n) {
  lanes8 sums{}, part;
  std::int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    load(part, x + i);
    sums += part;
  }
  if (i < n) {
    load_some(part, x + i, n - i);
    sums += part;
  }
  return sum(sums);
}

/// The sum of a[i] * b[i] in eight partial sums.
SLIPSTREAM_INLINE float dot(const float *a, const float *b, std::int64_t n) {
  lanes8 total{}, left, right;
  std::int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    load(left, a + i);
    load(right, b + i);
    total += left * right;
  }
  if (i < n) {
    load_some(left, a + i, n - i);
    load_some(right, b + i, n - i);
    total += left * right;
  }
  return sum(total);
}

/// e^x to about 2 units in the last place (polynomial of Cephes' expf); arguments are clamped to [-86, 88].
SLIPSTREAM_INLINE void exponential(lanes8 &x) {
  const lanes8 low = lanes8{} - 86.0f, high = lanes8{} + 88.0f;
  x = x < low ? low : x;
  x = x > high ? high : x;
  lanes8 n =
      x * 1.44269504088896341f + 12582912.0f;  // adding 1.5 * 2^23 rounds to an integer in the low bits
  ints8 exponent;
  std::memcpy(&exponent, &n, sizeof n);
  exponent <<= 23;
  n -= 12582912.0f;
  const lanes8 r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  lanes8 p = r * 1.9875691500e-4f + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  ints8 bits;
  std::memcpy(&bits, &p, sizeof p);
  bits += exponent;
  std::memcpy(&x, &bits, sizeof x);
}

}  // namespace slipstream::kernels
