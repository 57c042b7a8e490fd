// Vectors and scalar steps that the kernels share. Included once for each instruction set, hence no #pragma
// once; what is here rounds alike with each.
#if defined(SLIPSTREAM_LANES_INL) == defined(HWY_TARGET_TOGGLE)
#ifdef SLIPSTREAM_LANES_INL
#undef SLIPSTREAM_LANES_INL
#else
#define SLIPSTREAM_LANES_INL
#endif

#include <hwy/highway.h>

#include <cmath>
#include <cstddef>
#include <cstdint>

HWY_BEFORE_NAMESPACE();
namespace slipstream::arithmetic::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Sums run in 16 lanes, element i in lane i % 16, whatever the width of a register: `pieces` registers stand
/// side by side.
using floats = hn::CappedTag<float, 16>;
using vector = hn::Vec<floats>;
using ints = hn::RebindToSigned<floats>;
constexpr std::size_t width = HWY_MIN(HWY_LANES(float), std::size_t{16});
constexpr std::size_t pieces = 16 / width;

HWY_INLINE vector load(const float *from) {
  return hn::LoadU(floats(), from);
}
HWY_INLINE void store(const vector &from, float *to) {
  hn::StoreU(from, floats(), to);
}
HWY_INLINE vector all(float value) {
  return hn::Set(floats(), value);
}

/// The first `n` of a register's lanes, at most all; the others are 0.
HWY_INLINE vector load_some(const float *from, std::size_t n) {
  if (n >= width) return load(from);
  HWY_ALIGN float some[width] = {};
  for (std::size_t i = 0; i < n; ++i) some[i] = from[i];
  return hn::Load(floats(), some);
}
HWY_INLINE void store_some(const vector &from, float *to, std::size_t n) {
  if (n >= width) return store(from, to);
  HWY_ALIGN float some[width];
  hn::Store(from, floats(), some);
  for (std::size_t i = 0; i < n; ++i) to[i] = some[i];
}

/// a * b + c with one rounding. Processors without the instruction compute it slowly.
HWY_INLINE vector fused(const vector &a, const vector &b, const vector &c) {
#if HWY_NATIVE_FMA
  return hn::MulAdd(a, b, c);
#else
  HWY_ALIGN float left[width], right[width], sum[width];
  hn::Store(a, floats(), left);
  hn::Store(b, floats(), right);
  hn::Store(c, floats(), sum);
  for (std::size_t i = 0; i < width; ++i) sum[i] = std::fma(left[i], right[i], sum[i]);
  return hn::Load(floats(), sum);
#endif
}

/// Sixteen running sums and their total, which is one fixed tree.
struct running_sums {
  vector lanes[pieces];

  HWY_INLINE running_sums() {
    for (auto &piece : lanes) piece = hn::Zero(floats());
  }
  HWY_INLINE float total() const {
    HWY_ALIGN float each[16];
    for (std::size_t p = 0; p < pieces; ++p) hn::Store(lanes[p], floats(), each + p * width);
    for (std::size_t half = 8; half > 0; half /= 2)
      for (std::size_t i = 0; i < half; ++i) each[i] += each[i + half];
    return each[0];
  }
};

/// Calls `each(place, n, piece)` for every register of n elements: `piece` counts registers within sixteen
/// lanes.
template <class Each>
HWY_INLINE void over(std::size_t n, const Each &each) {
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (std::size_t p = 0; p < pieces; ++p) each(i + p * width, width, p);
  for (std::size_t p = 0; i < n; i += width, ++p) each(i, HWY_MIN(width, n - i), p);
}

/// Sum of a[i] * b[i].
HWY_INLINE float dot(const float *a, const float *b, std::size_t n) {
  running_sums sums;
  over(n, [&](std::size_t i, std::size_t count, std::size_t p) {
    sums.lanes[p] = fused(load_some(a + i, count), load_some(b + i, count), sums.lanes[p]);
  });
  return sums.total();
}

/// Sum of x[i].
HWY_INLINE float total(const float *x, std::size_t n) {
  running_sums sums;
  over(n, [&](std::size_t i, std::size_t count, std::size_t p) {
    sums.lanes[p] = hn::Add(sums.lanes[p], load_some(x + i, count));
  });
  return sums.total();
}

/// The greatest of x[0 .. n), n > 0; NaN is passed over.
HWY_INLINE float greatest(const float *x, std::size_t n) {
  vector best = all(x[0]);
  std::size_t i = 0;
  for (; i + width <= n; i += width) {
    const vector next = load(x + i);
    best = hn::IfThenElse(hn::Gt(next, best), next, best);
  }
  HWY_ALIGN float each[width];
  hn::Store(best, floats(), each);
  float result = each[0];
  for (std::size_t lane = 1; lane < width; ++lane) result = each[lane] > result ? each[lane] : result;
  for (; i < n; ++i) result = x[i] > result ? x[i] : result;
  return result;
}

/// e^x to 1 unit in the last place: 0 below -87, and e^88 above 88. x = n ln 2 + r, |r| <= ln 2 / 2, and a
/// polynomial of r.
HWY_INLINE vector exponential(vector x) {
  const auto vanishes = hn::Lt(x, all(-87.0f));
  x = hn::IfThenElse(vanishes, all(-87.0f), x);
  x = hn::IfThenElse(hn::Gt(x, all(88.0f)), all(88.0f), x);
  constexpr float round = 12582912.0f;  // 1.5 * 2^23: adding it leaves the nearest integer in the low bits
  const vector shifted = fused(x, all(1.44269504f), all(round));
  const vector n = hn::Sub(shifted, all(round));
  vector r = fused(n, all(-0.693145752f), x);
  r = fused(n, all(-1.42860677e-6f), r);
  vector p = all(1.98756940e-4f);
  p = fused(p, r, all(1.39819994e-3f));
  p = fused(p, r, all(8.33345205e-3f));
  p = fused(p, r, all(4.16657962e-2f));
  p = fused(p, r, all(1.66666657e-1f));
  p = fused(p, r, all(0.5f));
  p = hn::Add(fused(p, hn::Mul(r, r), r), all(1.0f));
  const auto exponent = hn::ShiftLeft<23>(hn::BitCast(ints(), shifted));
  return hn::IfThenZeroElse(vanishes, hn::BitCast(floats(), hn::Add(hn::BitCast(ints(), p), exponent)));
}

}  // namespace slipstream::arithmetic::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
