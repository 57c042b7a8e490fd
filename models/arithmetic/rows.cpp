#include "models/arithmetic/rows.hpp"

#include <algorithm>
#include <cmath>

#include "models/arithmetic/scalar.hpp"
#include "models/arithmetic/targets.hpp"

#ifndef SLIPSTREAM_NORM_WORK  // this file includes itself for each instruction set
#define SLIPSTREAM_NORM_WORK
namespace slipstream::arithmetic {
struct norm_work {
  const float *x;
  std::size_t rows, width;
  const float *gain, *bias;
  float eps;
  const float *gy;
  float *y, *gw;
};

}  // namespace slipstream::arithmetic
#endif

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "models/arithmetic/rows.cpp"
#include <hwy/foreach_target.h>

#include "models/arithmetic/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace slipstream::arithmetic::HWY_NAMESPACE {

HWY_INLINE float inverse_root(float square_sum, std::size_t count, float eps) {
  return 1.0f / std::sqrt(square_sum / static_cast<float>(count) + eps);
}

/// Calls `each(i, n)` for every register of n elements.
template <class Each>
HWY_INLINE void through(std::size_t n, const Each &each) {
  std::size_t i = 0;
  for (; i + width <= n; i += width) each(i, width);
  if (i < n) each(i, n - i);
}

void rms_rows(norm_work w) {
  for (std::size_t row = 0; row < w.rows; ++row, w.x += w.width, w.y += w.width) {
    const vector scale = all(inverse_root(dot(w.x, w.x, w.width), w.width, w.eps));
    through(w.width, [&](std::size_t i, std::size_t n) {
      store_some(hn::Mul(hn::Mul(load_some(w.x + i, n), scale), load_some(w.gain + i, n)), w.y + i, n);
    });
  }
}

// y = x r w with r = 1/sqrt(mean(x^2) + eps): gx = r (gy w - x r^2 mean(gy w x)).
void rms_gradient_rows(norm_work w) {
  for (std::size_t row = 0; row < w.rows; ++row, w.x += w.width, w.gy += w.width, w.y += w.width) {
    const float r = inverse_root(dot(w.x, w.x, w.width), w.width, w.eps);
    running_sums sums;
    over(w.width, [&](std::size_t i, std::size_t n, std::size_t p) {
      const vector pulled = hn::Mul(load_some(w.gy + i, n), load_some(w.gain + i, n));
      sums.lanes[p] = fused(pulled, load_some(w.x + i, n), sums.lanes[p]);
    });
    const vector pull = all(sums.total() / static_cast<float>(w.width) * r * r), scale = all(r);
    through(w.width, [&](std::size_t i, std::size_t n) {
      const vector x = load_some(w.x + i, n), gy = load_some(w.gy + i, n);
      store_some(fused(gy, hn::Mul(x, scale), load_some(w.gw + i, n)), w.gw + i, n);
      const vector own = hn::Mul(gy, load_some(w.gain + i, n));
      store_some(hn::Mul(hn::Sub(own, hn::Mul(x, pull)), scale), w.y + i, n);
    });
  }
}

/// The row less its mean, in `to`, and 1 / its deviation.
HWY_INLINE float centre(const float *x, std::size_t n, float eps, float *to) {
  const vector mean = all(total(x, n) / static_cast<float>(n));
  through(n, [&](std::size_t i, std::size_t some) {
    store_some(hn::Sub(load_some(x + i, some), mean), to + i, some);
  });
  return inverse_root(dot(to, to, n), n, eps);
}

void layer_rows(norm_work w) {
  for (std::size_t row = 0; row < w.rows; ++row, w.x += w.width, w.y += w.width) {
    const vector scale = all(centre(w.x, w.width, w.eps, w.y));
    through(w.width, [&](std::size_t i, std::size_t n) {
      store_some(
          fused(hn::Mul(load_some(w.y + i, n), scale), load_some(w.gain + i, n), load_some(w.bias + i, n)),
          w.y + i, n);
    });
  }
}

// With z = (x - mean) r and h = gy w: gx = r (h - mean(h) - z mean(h z)), gw += gy z. `z` has room for a row.
void layer_gradient_rows(norm_work w, float *z) {
  const auto count = static_cast<float>(w.width);
  for (std::size_t row = 0; row < w.rows; ++row, w.x += w.width, w.gy += w.width, w.y += w.width) {
    const float r = centre(w.x, w.width, w.eps, z);
    running_sums shifts, pulls;
    over(w.width, [&](std::size_t i, std::size_t n, std::size_t p) {
      const vector gy = load_some(w.gy + i, n), here = hn::Mul(load_some(z + i, n), all(r));
      const vector h = hn::Mul(gy, load_some(w.gain + i, n));
      store_some(here, z + i, n);
      store_some(fused(gy, here, load_some(w.gw + i, n)), w.gw + i, n);
      shifts.lanes[p] = hn::Add(shifts.lanes[p], h);
      pulls.lanes[p] = fused(h, here, pulls.lanes[p]);
    });
    const vector shift = all(shifts.total() / count), pull = all(pulls.total() / count);
    through(w.width, [&](std::size_t i, std::size_t n) {
      const vector h = hn::Mul(load_some(w.gy + i, n), load_some(w.gain + i, n));
      const vector rest = hn::Sub(hn::Sub(h, shift), hn::Mul(load_some(z + i, n), pull));
      store_some(hn::Mul(rest, all(r)), w.y + i, n);
    });
  }
}

/// 1 / (1 + e^-x).
HWY_INLINE vector logistic(const vector &x) {
  const vector one = all(1.0f);
  return hn::Div(one, hn::Add(one, exponential(hn::Neg(x))));
}

void gate_rows(const float *gate_up, std::size_t rows, std::size_t wide, float *y) {
  for (std::size_t row = 0; row < rows; ++row, gate_up += 2 * wide, y += wide)
    through(wide, [&](std::size_t i, std::size_t n) {
      const vector gate = load_some(gate_up + i, n);
      store_some(hn::Mul(hn::Mul(gate, logistic(gate)), load_some(gate_up + wide + i, n)), y + i, n);
    });
}

// y = g s(g) u with s the logistic function: dy/dg = u s (1 + g (1 - s)), dy/du = g s.
void gate_gradient_rows(const float *gate_up, std::size_t rows, std::size_t wide, const float *gy, float *g) {
  const vector one = all(1.0f);
  for (std::size_t row = 0; row < rows; ++row, gate_up += 2 * wide, gy += wide, g += 2 * wide)
    through(wide, [&](std::size_t i, std::size_t n) {
      const vector gate = load_some(gate_up + i, n), up = load_some(gate_up + wide + i, n),
                   out = load_some(gy + i, n);
      const vector s = logistic(gate);
      store_some(hn::Mul(hn::Mul(hn::Mul(out, up), s), fused(gate, hn::Sub(one, s), one)), g + i, n);
      store_some(hn::Mul(hn::Mul(out, gate), s), g + wide + i, n);
    });
}

// 0.5 x (1 + tanh u) = x s(2 u) with u = sqrt(2/pi) (x + 0.044715 x^3).
HWY_INLINE vector gelu_slope(const vector &x) {
  const vector cube = hn::Mul(hn::Mul(x, x), x);
  return logistic(hn::Mul(fused(cube, all(0.044715f), x), all(1.5957691216057308f)));
}

void gelu_all(const float *x, std::size_t count, float *y) {
  through(count, [&](std::size_t i, std::size_t n) {
    const vector v = load_some(x + i, n);
    store_some(hn::Mul(v, gelu_slope(v)), y + i, n);
  });
}

// dy/dx = s + x s (1 - s) 2 u', u' = sqrt(2/pi) (1 + 3 * 0.044715 x^2).
void gelu_gradient_all(const float *x, std::size_t count, const float *gy, float *gx) {
  const vector one = all(1.0f);
  through(count, [&](std::size_t i, std::size_t n) {
    const vector v = load_some(x + i, n), s = gelu_slope(v);
    const vector rise = hn::Mul(fused(hn::Mul(v, v), all(0.134145f), one), all(1.5957691216057308f));
    const vector bend = hn::Mul(hn::Mul(hn::Mul(v, s), hn::Sub(one, s)), rise);
    store_some(hn::Mul(load_some(gy + i, n), hn::Add(s, bend)), gx + i, n);
  });
}

void rotate_heads(const float *cosines, const float *sines, std::size_t heads, std::size_t half, float *x) {
  for (std::size_t head = 0; head < heads; ++head, x += 2 * half)
    through(half, [&](std::size_t i, std::size_t n) {
      const vector low = load_some(x + i, n), high = load_some(x + half + i, n);
      const vector c = load_some(cosines + i, n), s = load_some(sines + i, n);
      store_some(hn::Sub(hn::Mul(low, c), hn::Mul(high, s)), x + i, n);
      store_some(hn::Add(hn::Mul(high, c), hn::Mul(low, s)), x + half + i, n);
    });
}

/// Lanes from n on become 0.
HWY_INLINE vector first_lanes(const vector &x, std::size_t n) {
  return n >= width ? x : hn::IfThenElseZero(hn::FirstN(floats(), n), x);
}

float exponentials_of(float *x, std::size_t count, float greatest) {
  running_sums sums;
  over(count, [&](std::size_t i, std::size_t n, std::size_t p) {
    const vector e = exponential(hn::Sub(load_some(x + i, n), all(greatest)));
    store_some(e, x + i, n);
    sums.lanes[p] = hn::Add(sums.lanes[p], first_lanes(e, n));
  });
  return sums.total();
}

double block_sums(const float *x, std::size_t n, float scale, float peak, float *result) {
  double whole = 0;
  for (std::size_t first = 0; first < n; first += softmax_block, ++result) {
    running_sums sums;
    over(std::min<std::size_t>(softmax_block, n - first), [&](std::size_t i, std::size_t count,
                                                              std::size_t p) {
      const vector e = exponential(hn::Sub(hn::Mul(load_some(x + first + i, count), all(scale)), all(peak)));
      sums.lanes[p] = hn::Add(sums.lanes[p], first_lanes(e, count));
    });
    whole += static_cast<double>(*result = sums.total());
  }
  return whole;
}

double weighted_sum(const float *x, std::size_t n, float scale, float log_sum) {
  double whole = 0;
  for (std::size_t first = 0; first < n; first += softmax_block) {
    running_sums sums;
    over(std::min<std::size_t>(softmax_block, n - first),
         [&](std::size_t i, std::size_t count, std::size_t p) {
           const vector logprob = hn::Sub(hn::Mul(load_some(x + first + i, count), all(scale)), all(log_sum));
           const vector e = first_lanes(exponential(logprob), count);
           const auto some = hn::Gt(e, all(0.0f));  // minus infinity times nothing is nothing
           sums.lanes[p] = fused(e, hn::IfThenElseZero(some, logprob), sums.lanes[p]);
         });
    whole += static_cast<double>(sums.total());
  }
  return whole;
}

void terms(const float *x, std::size_t count, float scale, float peak, float *y) {
  through(count, [&](std::size_t i, std::size_t n) {
    store_some(exponential(hn::Sub(hn::Mul(load_some(x + i, n), all(scale)), all(peak))), y + i, n);
  });
}

float greatest_of(const float *x, std::size_t n) {
  return greatest(x, n);
}

void scaled_and_shifted(const float *x, std::size_t count, float scale, float shift, float *y) {
  through(count, [&](std::size_t i, std::size_t n) {
    store_some(hn::Sub(hn::Mul(load_some(x + i, n), all(scale)), all(shift)), y + i, n);
  });
}

void softmax_slopes(const float *logprobs, std::size_t count, float factor, float *g) {
  through(count, [&](std::size_t i, std::size_t n) {
    store_some(hn::Mul(exponential(load_some(logprobs + i, n)), all(-factor)), g + i, n);
  });
}

float dot_of(const float *a, const float *b, std::size_t n) {
  return dot(a, b, n);
}

void add_all(const float *from, std::size_t count, float *to) {
  through(count, [&](std::size_t i, std::size_t n) {
    store_some(hn::Add(load_some(to + i, n), load_some(from + i, n)), to + i, n);
  });
}

}  // namespace slipstream::arithmetic::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <vector>

namespace slipstream::arithmetic {
namespace {

HWY_EXPORT(rms_rows);
HWY_EXPORT(rms_gradient_rows);
HWY_EXPORT(layer_rows);
HWY_EXPORT(layer_gradient_rows);
HWY_EXPORT(gate_rows);
HWY_EXPORT(gate_gradient_rows);
HWY_EXPORT(gelu_all);
HWY_EXPORT(gelu_gradient_all);
HWY_EXPORT(rotate_heads);
HWY_EXPORT(exponentials_of);
HWY_EXPORT(block_sums);
HWY_EXPORT(terms);
HWY_EXPORT(weighted_sum);
HWY_EXPORT(greatest_of);
HWY_EXPORT(scaled_and_shifted);
HWY_EXPORT(softmax_slopes);
HWY_EXPORT(dot_of);
HWY_EXPORT(add_all);

std::size_t size(std::int64_t n) {
  return static_cast<std::size_t>(n);
}

}  // namespace

void rms_norm(const float *x, std::int64_t rows, std::int64_t width, const float *weight, float eps,
              float *y) {
  HWY_DYNAMIC_DISPATCH(rms_rows)({x, size(rows), size(width), weight, nullptr, eps, nullptr, y, nullptr});
}

void rms_norm_gradient(const float *x, std::int64_t rows, std::int64_t width, const float *weight, float eps,
                       const float *gy, float *gx, float *gw) {
  HWY_DYNAMIC_DISPATCH(rms_gradient_rows)({x, size(rows), size(width), weight, nullptr, eps, gy, gx, gw});
}

void layer_norm(const float *x, std::int64_t rows, std::int64_t width, const float *gain, const float *bias,
                float eps, float *y) {
  HWY_DYNAMIC_DISPATCH(layer_rows)({x, size(rows), size(width), gain, bias, eps, nullptr, y, nullptr});
}

void layer_norm_gradient(const float *x, std::int64_t rows, std::int64_t width, const float *gain, float eps,
                         const float *gy, float *gx, float *gw) {
  std::vector<float> z(size(width));
  HWY_DYNAMIC_DISPATCH(layer_gradient_rows)
  ({x, size(rows), size(width), gain, nullptr, eps, gy, gx, gw}, z.data());
}

void silu_gate(const float *gate_up, std::int64_t rows, std::int64_t width, float *y) {
  HWY_DYNAMIC_DISPATCH(gate_rows)(gate_up, size(rows), size(width), y);
}

void silu_gate_gradient(const float *gate_up, std::int64_t rows, std::int64_t width, const float *gy,
                        float *g) {
  HWY_DYNAMIC_DISPATCH(gate_gradient_rows)(gate_up, size(rows), size(width), gy, g);
}

void gelu_tanh(const float *x, std::int64_t n, float *y) {
  HWY_DYNAMIC_DISPATCH(gelu_all)(x, size(n), y);
}

void gelu_tanh_gradient(const float *x, std::int64_t n, const float *gy, float *gx) {
  HWY_DYNAMIC_DISPATCH(gelu_gradient_all)(x, size(n), gy, gx);
}

void rotate(const float *cosines, const float *sines, std::int64_t heads, std::int64_t head_dim, float *x) {
  HWY_DYNAMIC_DISPATCH(rotate_heads)(cosines, sines, size(heads), size(head_dim / 2), x);
}

float exponentials(float *x, std::int64_t n, float greatest) {
  return HWY_DYNAMIC_DISPATCH(exponentials_of)(x, size(n), greatest);
}

float greatest(const float *x, std::int64_t n) {
  return HWY_DYNAMIC_DISPATCH(greatest_of)(x, size(n));
}

double softmax_sums(const float *x, std::int64_t n, float scale, float peak, float *sums) {
  return HWY_DYNAMIC_DISPATCH(block_sums)(x, size(n), scale, peak, sums);
}

void softmax_terms(const float *x, std::int64_t n, float scale, float peak, float *y) {
  HWY_DYNAMIC_DISPATCH(terms)(x, size(n), scale, peak, y);
}

float log_of_sum(float peak, double sum) {
  return static_cast<float>(static_cast<double>(peak) + logarithm(sum));
}

float log_sum_exp(const float *logits, std::int64_t n, float scale) {
  thread_local std::vector<float> sums;
  sums.resize(size((n + softmax_block - 1) / softmax_block));
  const float peak = greatest(logits, n) * scale;
  return log_of_sum(peak, softmax_sums(logits, n, scale, peak, sums.data()));
}

float softmax_entropy(const float *logits, std::int64_t n, float scale, float log_sum) {
  return static_cast<float>(-HWY_DYNAMIC_DISPATCH(weighted_sum)(logits, size(n), scale, log_sum));
}

void scale_and_shift(const float *x, std::int64_t n, float scale, float shift, float *out) {
  HWY_DYNAMIC_DISPATCH(scaled_and_shifted)(x, size(n), scale, shift, out);
}

void log_softmax(const float *logits, std::int64_t n, float scale, float *out) {
  scale_and_shift(logits, n, scale, log_sum_exp(logits, n, scale), out);
}

void log_softmax_gradient(const float *logprobs, std::int64_t n, std::int64_t id, float scale, float gy,
                          float *g) {
  HWY_DYNAMIC_DISPATCH(softmax_slopes)(logprobs, size(n), scale * gy, g);
  g[id] += scale * gy;
}

float dot(const float *a, const float *b, std::int64_t n) {
  return HWY_DYNAMIC_DISPATCH(dot_of)(a, b, size(n));
}

void add(const float *from, std::int64_t n, float *to) {
  HWY_DYNAMIC_DISPATCH(add_all)(from, size(n), to);
}

}  // namespace slipstream::arithmetic
#endif
