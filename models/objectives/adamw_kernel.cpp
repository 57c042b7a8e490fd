#include "models/objectives/adamw_kernel.hpp"

#include <cmath>

// The loops below are compiled twice where that helps, for the oldest processor and for one with AVX2
// (without fused multiply-add, which would change bits), and chosen when they run.
#if defined(__x86_64__) && defined(__GNUC__)
#define SLIPSTREAM_WIDE __attribute__((target("avx2")))
#define SLIPSTREAM_INLINE inline __attribute__((always_inline))
#else
#define SLIPSTREAM_WIDE
#define SLIPSTREAM_INLINE inline
#endif

namespace slipstream {
namespace {

bool has_wide_vectors() {
#if defined(__x86_64__) && defined(__GNUC__)
  static const bool found = __builtin_cpu_supports("avx2");
  return found;
#else
  return false;
#endif
}

template <bool masked, class T>
SLIPSTREAM_INLINE void adamw_body(T *__restrict p, const T *__restrict g, T *__restrict m, T *__restrict v,
                                  const unsigned char *__restrict decays, std::int64_t n,
                                  const adamw_factors &f) {
  const T scale = static_cast<T>(f.scale), beta1 = static_cast<T>(f.beta1), beta2 = static_cast<T>(f.beta2);
  const T one_beta1 = static_cast<T>(1 - f.beta1), one_beta2 = static_cast<T>(1 - f.beta2);
  const T rate = static_cast<T>(f.rate), correction = static_cast<T>(f.root_correction);
  const T eps = static_cast<T>(f.eps), lost = static_cast<T>(1 - f.keep), keep = T(1) - lost;
#ifndef __clang__
#pragma GCC ivdep
#endif
  for (std::int64_t i = 0; i < n; ++i) {
    const T gradient = g[i] * scale;
    const T first = beta1 * m[i] + one_beta1 * gradient;
    const T second = beta2 * v[i] + one_beta2 * (gradient * gradient);
    // arithmetic rather than a choice, which would keep the loop from being vectorised
    const T kept = masked ? T(1) - lost * static_cast<T>(decays[i]) : keep;
    m[i] = first;
    v[i] = second;
    p[i] = kept * p[i] - rate * (first / (std::sqrt(second) * correction + eps));
  }
}

template <class T>
SLIPSTREAM_INLINE double squares_body(const T *x, std::int64_t n) {
  double lanes[16] = {};
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (int j = 0; j < 16; ++j) lanes[j] += static_cast<double>(x[i + j]) * static_cast<double>(x[i + j]);
  for (; i < n; ++i) lanes[i % 16] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  double total = 0;
  for (const double lane : lanes) total += lane;
  return total;
}

template <bool masked, class T>
SLIPSTREAM_WIDE void adamw_wide(T *p, const T *g, T *m, T *v, const unsigned char *d, std::int64_t n,
                                const adamw_factors &f) {
  adamw_body<masked>(p, g, m, v, d, n, f);
}
template <class T>
SLIPSTREAM_WIDE double squares_wide(const T *x, std::int64_t n) {
  return squares_body(x, n);
}

template <bool masked, class T>
void adamw_chosen(T *p, const T *g, T *m, T *v, const unsigned char *d, std::int64_t n,
                  const adamw_factors &f) {
  has_wide_vectors() ? adamw_wide<masked>(p, g, m, v, d, n, f) : adamw_body<masked>(p, g, m, v, d, n, f);
}
template <class T>
void adamw(T *p, const T *g, T *m, T *v, const unsigned char *d, std::int64_t n, const adamw_factors &f) {
  d ? adamw_chosen<true>(p, g, m, v, d, n, f) : adamw_chosen<false>(p, g, m, v, d, n, f);
}
template <class T>
double squares(const T *x, std::int64_t n) {
  return has_wide_vectors() ? squares_wide(x, n) : squares_body(x, n);
}

}  // namespace

void adamw_range(float *p, const float *g, float *m, float *v, const bool *decays, std::int64_t n,
                 const adamw_factors &factors) {
  adamw(p, g, m, v, reinterpret_cast<const unsigned char *>(decays), n, factors);
}
void adamw_range(double *p, const double *g, double *m, double *v, const bool *decays, std::int64_t n,
                 const adamw_factors &factors) {
  adamw(p, g, m, v, reinterpret_cast<const unsigned char *>(decays), n, factors);
}
double sum_of_squares(const float *x, std::int64_t n) {
  return squares(x, n);
}
double sum_of_squares(const double *x, std::int64_t n) {
  return squares(x, n);
}

}  // namespace slipstream
