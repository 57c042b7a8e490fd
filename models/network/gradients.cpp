#include "models/network/gradients.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "models/network/lanes.hpp"

#if defined(__x86_64__) && defined(__GNUC__)
#define SLIPSTREAM_WIDE __attribute__((target("avx2")))
#else
#define SLIPSTREAM_WIDE
#endif

namespace slipstream::kernels {
namespace {

bool wide() {
#if defined(__x86_64__) && defined(__GNUC__)
  static const bool has = __builtin_cpu_supports("avx2");
  return has;
#else
  return false;
#endif
}

// to += scale * from
SLIPSTREAM_INLINE void add_scaled(float *to, const float *from, float scale, std::int64_t n) {
  lanes8 a, b;
  std::int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    load(a, to + i);
    load(b, from + i);
    a += b * scale;
    store(to + i, a);
  }
  for (; i < n; ++i) to[i] += from[i] * scale;
}

struct norm {
  const float *x, *weight, *gy;
  std::int64_t rows, width;
  float eps;
  float *gx, *gw;
};

// y = x r w with r = 1/sqrt(mean(x^2) + eps): gx = r (gy w - x r^2 mean(gy w x)).
SLIPSTREAM_INLINE void norm_rows(norm a) {
  const auto count = static_cast<float>(a.width);
  for (std::int64_t row = 0; row < a.rows; ++row, a.x += a.width, a.gy += a.width, a.gx += a.width) {
    const float r = 1.0f / std::sqrt(dot(a.x, a.x, a.width) / count + a.eps);
    for (std::int64_t i = 0; i < a.width; ++i) a.gx[i] = a.gy[i] * a.weight[i];
    const float pull = dot(a.gx, a.x, a.width) / count * r * r;
    for (std::int64_t i = 0; i < a.width; ++i) {
      a.gw[i] += a.gy[i] * a.x[i] * r;
      a.gx[i] = (a.gx[i] - a.x[i] * pull) * r;
    }
  }
}
void norm_base(const norm &a) {
  norm_rows(a);
}
SLIPSTREAM_WIDE void norm_wide(const norm &a) {
  norm_rows(a);
}

// With z = (x - mean) r and h = gy w: gx = r (h - mean(h) - z mean(h z)), gw += gy z.
SLIPSTREAM_INLINE void layer_norm_rows(norm a, float *z) {
  const auto count = static_cast<float>(a.width);
  for (std::int64_t row = 0; row < a.rows; ++row, a.x += a.width, a.gy += a.width, a.gx += a.width) {
    const float mean = total(a.x, a.width) / count;
    for (std::int64_t i = 0; i < a.width; ++i) z[i] = a.x[i] - mean;
    const float r = 1.0f / std::sqrt(dot(z, z, a.width) / count + a.eps);
    for (std::int64_t i = 0; i < a.width; ++i) {
      z[i] *= r;
      a.gx[i] = a.gy[i] * a.weight[i];
      a.gw[i] += a.gy[i] * z[i];
    }
    const float shift = total(a.gx, a.width) / count, pull = dot(a.gx, z, a.width) / count;
    for (std::int64_t i = 0; i < a.width; ++i) a.gx[i] = (a.gx[i] - shift - z[i] * pull) * r;
  }
}
void layer_norm_base(const norm &a, float *z) {
  layer_norm_rows(a, z);
}
SLIPSTREAM_WIDE void layer_norm_wide(const norm &a, float *z) {
  layer_norm_rows(a, z);
}

// y = x s with s = 1 / (1 + e^-2u): dy/dx = s + x s (1 - s) 2 u', u' = sqrt(2/pi) (1 + 3 * 0.044715 x^2).
SLIPSTREAM_INLINE void gelu_gradient(const float *x, std::int64_t n, const float *gy, float *gx) {
  constexpr float twice = 1.5957691216057308f;
  lanes8 v, g, s;
  for (std::int64_t i = 0; i < n; i += 8) {
    const std::int64_t some = std::min<std::int64_t>(8, n - i);
    load_some(v, x + i, some);
    load_some(g, gy + i, some);
    s = (v + v * v * v * 0.044715f) * -twice;
    exponential(s);
    s = 1.0f / (1.0f + s);
    g *= s + v * s * (1.0f - s) * (1.0f + v * v * 0.134145f) * twice;
    store_some(gx + i, g, some);
  }
}
void gelu_base(const float *x, std::int64_t n, const float *gy, float *gx) {
  gelu_gradient(x, n, gy, gx);
}
SLIPSTREAM_WIDE void gelu_wide(const float *x, std::int64_t n, const float *gy, float *gx) {
  gelu_gradient(x, n, gy, gx);
}

// y = g s(g) u with s the logistic function: dy/dg = u s (1 + g (1 - s)), dy/du = g s.
SLIPSTREAM_INLINE void gate_lanes(const lanes8 &gate, const lanes8 &up, const lanes8 &gy, lanes8 &g_gate,
                                  lanes8 &g_up) {
  lanes8 s = -gate;
  exponential(s);
  s = 1.0f / (1.0f + s);
  g_gate = gy * up * s * (1.0f + gate * (1.0f - s));
  g_up = gy * gate * s;
}

SLIPSTREAM_INLINE void gate_rows(const float *gate_up, std::int64_t rows, std::int64_t width, const float *gy,
                                 float *g) {
  for (std::int64_t row = 0; row < rows; ++row, gate_up += 2 * width, gy += width, g += 2 * width) {
    lanes8 gate, up, out, g_gate, g_up;
    std::int64_t i = 0;
    for (; i + 8 <= width; i += 8) {
      load(gate, gate_up + i);
      load(up, gate_up + width + i);
      load(out, gy + i);
      gate_lanes(gate, up, out, g_gate, g_up);
      store(g + i, g_gate);
      store(g + width + i, g_up);
    }
    if (i == width) continue;
    load_some(gate, gate_up + i, width - i);
    load_some(up, gate_up + width + i, width - i);
    load_some(out, gy + i, width - i);
    gate_lanes(gate, up, out, g_gate, g_up);
    store_some(g + i, g_gate, width - i);
    store_some(g + width + i, g_up, width - i);
  }
}
void gate_base(const float *gate_up, std::int64_t rows, std::int64_t width, const float *gy, float *g) {
  gate_rows(gate_up, rows, width, gy, g);
}
SLIPSTREAM_WIDE void gate_wide(const float *gate_up, std::int64_t rows, std::int64_t width, const float *gy,
                               float *g) {
  gate_rows(gate_up, rows, width, gy, g);
}

struct row_gradient {
  const float *q, *k, *v, *out, *gy;
  std::int64_t length, stride, head_dim;
  float *gq, *gk, *gv, *weights;
};

// With p = softmax(s), s = q.k c: gs = p (gy.v - gy.out), gq = c sum gs k, gk += c gs q, gv += p gy.
SLIPSTREAM_INLINE void head_gradient(const row_gradient &a) {
  const float scale = 1.0f / std::sqrt(static_cast<float>(a.head_dim));
  float greatest = -INFINITY, total = 0.0f;
  for (std::int64_t t = 0; t < a.length; ++t) {
    a.weights[t] = dot(a.q, a.k + t * a.stride, a.head_dim) * scale;
    greatest = std::max(greatest, a.weights[t]);
  }
  lanes8 part;
  for (std::int64_t t = 0; t < a.length; t += 8) {
    const std::int64_t n = std::min<std::int64_t>(8, a.length - t);
    load_some(part, a.weights + t, n);
    part -= greatest;
    exponential(part);
    store_some(a.weights + t, part, n);
  }
  for (std::int64_t t = 0; t < a.length; ++t) total += a.weights[t];
  const float mean = dot(a.gy, a.out, a.head_dim);
  std::fill(a.gq, a.gq + a.head_dim, 0.0f);
  for (std::int64_t t = 0; t < a.length; ++t) {
    const float weight = a.weights[t] / total;
    const float gs = weight * (dot(a.gy, a.v + t * a.stride, a.head_dim) - mean) * scale;
    add_scaled(a.gq, a.k + t * a.stride, gs, a.head_dim);
    add_scaled(a.gk + t * a.stride, a.q, gs, a.head_dim);
    add_scaled(a.gv + t * a.stride, a.gy, weight, a.head_dim);
  }
}
void head_base(const row_gradient &a) {
  head_gradient(a);
}
SLIPSTREAM_WIDE void head_wide(const row_gradient &a) {
  head_gradient(a);
}

}  // namespace

void rms_norm_gradient(const float *x, std::int64_t rows, std::int64_t width, const float *weight, float eps,
                       const float *gy, float *gx, float *gw) {
  (wide() ? norm_wide : norm_base)({x, weight, gy, rows, width, eps, gx, gw});
}

void layer_norm_gradient(const float *x, std::int64_t rows, std::int64_t width, const float *gain, float eps,
                         const float *gy, float *gx, float *gw) {
  std::vector<float> z(static_cast<std::size_t>(width));
  (wide() ? layer_norm_wide : layer_norm_base)({x, gain, gy, rows, width, eps, gx, gw}, z.data());
}

void gelu_tanh_gradient(const float *x, std::int64_t n, const float *gy, float *gx) {
  (wide() ? gelu_wide : gelu_base)(x, n, gy, gx);
}

void silu_gate_gradient(const float *gate_up, std::int64_t rows, std::int64_t width, const float *gy,
                        float *g) {
  (wide() ? gate_wide : gate_base)(gate_up, rows, width, gy, g);
}

void attend_row_gradient(const float *q, const float *k, const float *v, const float *out, const float *gy,
                         std::int64_t length, std::int64_t heads, std::int64_t kv_heads,
                         std::int64_t head_dim, float *gq, float *gk, float *gv) {
  thread_local std::vector<float> weights;
  weights.resize(std::max(weights.size(), static_cast<std::size_t>(length)));
  const std::int64_t share = heads / kv_heads;
  for (std::int64_t h = 0; h < heads; ++h) {
    const std::int64_t own = h * head_dim, shared = h / share * head_dim;
    (wide() ? head_wide
            : head_base)({q + own, k + shared, v + shared, out + own, gy + own, length, kv_heads * head_dim,
                          head_dim, gq + own, gk + shared, gv + shared, weights.data()});
  }
}

}  // namespace slipstream::kernels
