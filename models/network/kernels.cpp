#include "models/network/kernels.hpp"

#include <algorithm>
#include <cmath>
#include <memory>

#include "models/network/instructions.hpp"
#include "models/network/lanes.hpp"

namespace slipstream::kernels {
namespace {

// ---- linear ----

constexpr std::int64_t panel_width = 16;

struct product {
  const float *x;
  std::int64_t rows, in;
  const float *w;
  std::int64_t out;
  const float *bias;
  float *y;
};

// panel[in][16] of outputs first .. first + 15; outputs beyond the last are zero.
SLIPSTREAM_INLINE void pack(const product &p, std::int64_t first, float *panel) {
  const std::int64_t width = std::min(panel_width, p.out - first);
  if (width < panel_width) std::fill(panel, panel + p.in * panel_width, 0.0f);
  for (std::int64_t o = 0; o < width; ++o) {
    const float *row = p.w + (first + o) * p.in;
    for (std::int64_t k = 0; k < p.in; ++k) panel[k * panel_width + o] = row[k];
  }
}

// R rows by 16 outputs: each accumulator lane adds up one element from k = 0 on.
template <class V, int R>
SLIPSTREAM_INLINE void tile(const product &p, const float *panel, std::int64_t row, std::int64_t first) {
  constexpr int width = sizeof(V) / sizeof(float), count = panel_width / width;
  V total[R][count] = {};
  const float *x = p.x + row * p.in;
  for (std::int64_t k = 0; k < p.in; ++k) {
    V weights[count];
    for (int c = 0; c < count; ++c) load(weights[c], panel + k * panel_width + c * width);
    for (int r = 0; r < R; ++r) {
      const float value = x[r * p.in + k];
      for (int c = 0; c < count; ++c) total[r][c] += weights[c] * value;
    }
  }
  const std::int64_t valid = std::min(panel_width, p.out - first);
  for (int r = 0; r < R; ++r) {
    float *y = p.y + (row + r) * p.out + first;
    float sums[panel_width];
    for (int c = 0; c < count; ++c) store(sums + c * width, total[r][c]);
    for (std::int64_t o = 0; o < valid; ++o) y[o] = p.bias ? sums[o] + p.bias[first + o] : sums[o];
  }
}

template <class V, int R>
SLIPSTREAM_INLINE void multiply(const product &p, float *panel) {
  for (std::int64_t first = 0; first < p.out; first += panel_width) {
    pack(p, first, panel);
    std::int64_t row = 0;
    for (; row + R <= p.rows; row += R) tile<V, R>(p, panel, row, first);
    for (; row + 2 <= p.rows; row += 2) tile<V, 2>(p, panel, row, first);
    for (; row < p.rows; ++row) tile<V, 1>(p, panel, row, first);
  }
}

void multiply_base(const product &p, float *panel) {
  multiply<lanes4, 2>(p, panel);
}
SLIPSTREAM_WIDE void multiply_wide(const product &p, float *panel) {
  multiply<lanes8, 6>(p, panel);
}
SLIPSTREAM_WIDEST void multiply_widest(const product &p, float *panel) {
  multiply<lanes16, 12>(p, panel);
}

// ---- element-wise ----

SLIPSTREAM_INLINE void normalise(const float *x, std::int64_t rows, std::int64_t width, const float *weight,
                                 float eps, float *y) {
  for (std::int64_t row = 0; row < rows; ++row, x += width, y += width) {
    const float scale = 1.0f / std::sqrt(dot(x, x, width) / static_cast<float>(width) + eps);
    for (std::int64_t i = 0; i < width; ++i) y[i] = x[i] * scale * weight[i];
  }
}

void normalise_base(const float *x, std::int64_t rows, std::int64_t width, const float *weight, float eps,
                    float *y) {
  normalise(x, rows, width, weight, eps, y);
}
SLIPSTREAM_WIDE void normalise_wide(const float *x, std::int64_t rows, std::int64_t width,
                                    const float *weight, float eps, float *y) {
  normalise(x, rows, width, weight, eps, y);
}

SLIPSTREAM_INLINE void standardise(const float *x, std::int64_t rows, std::int64_t width, const float *gain,
                                   const float *bias, float eps, float *y) {
  const auto count = static_cast<float>(width);
  for (std::int64_t row = 0; row < rows; ++row, x += width, y += width) {
    const float mean = total(x, width) / count;
    for (std::int64_t i = 0; i < width; ++i) y[i] = x[i] - mean;
    const float scale = 1.0f / std::sqrt(dot(y, y, width) / count + eps);
    for (std::int64_t i = 0; i < width; ++i) y[i] = y[i] * scale * gain[i] + bias[i];
  }
}

void standardise_base(const float *x, std::int64_t rows, std::int64_t width, const float *gain,
                      const float *bias, float eps, float *y) {
  standardise(x, rows, width, gain, bias, eps, y);
}
SLIPSTREAM_WIDE void standardise_wide(const float *x, std::int64_t rows, std::int64_t width,
                                      const float *gain, const float *bias, float eps, float *y) {
  standardise(x, rows, width, gain, bias, eps, y);
}

// 0.5 x (1 + tanh u) = x / (1 + e^-2u) with u = sqrt(2/pi) (x + 0.044715 x^3).
SLIPSTREAM_INLINE void gelu_lanes(lanes8 &x) {
  lanes8 e = (x + x * x * x * 0.044715f) * -1.5957691216057308f;
  exponential(e);
  x = x / (1.0f + e);
}

SLIPSTREAM_INLINE void gelu_all(const float *x, std::int64_t n, float *y) {
  lanes8 part;
  std::int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    load(part, x + i);
    gelu_lanes(part);
    store(y + i, part);
  }
  if (i == n) return;
  load_some(part, x + i, n - i);
  gelu_lanes(part);
  store_some(y + i, part, n - i);
}

void gelu_base(const float *x, std::int64_t n, float *y) {
  gelu_all(x, n, y);
}
SLIPSTREAM_WIDE void gelu_wide(const float *x, std::int64_t n, float *y) {
  gelu_all(x, n, y);
}

SLIPSTREAM_INLINE void gate_lanes(const lanes8 &gate, const lanes8 &up, lanes8 &y) {
  y = -gate;
  exponential(y);
  y = gate / (1.0f + y) * up;
}

SLIPSTREAM_INLINE void gate_rows(const float *gate_up, std::int64_t rows, std::int64_t width, float *y) {
  for (std::int64_t row = 0; row < rows; ++row, gate_up += 2 * width, y += width) {
    lanes8 gate, up, result;
    std::int64_t i = 0;
    for (; i + 8 <= width; i += 8) {
      load(gate, gate_up + i);
      load(up, gate_up + width + i);
      gate_lanes(gate, up, result);
      store(y + i, result);
    }
    if (i == width) continue;
    load_some(gate, gate_up + i, width - i);
    load_some(up, gate_up + width + i, width - i);
    gate_lanes(gate, up, result);
    store_some(y + i, result, width - i);
  }
}

void gate_base(const float *gate_up, std::int64_t rows, std::int64_t width, float *y) {
  gate_rows(gate_up, rows, width, y);
}
SLIPSTREAM_WIDE void gate_wide(const float *gate_up, std::int64_t rows, std::int64_t width, float *y) {
  gate_rows(gate_up, rows, width, y);
}

}  // namespace

void linear(const float *x, std::int64_t rows, std::int64_t in, const float *w, std::int64_t out,
            const float *bias, float *y) {
  const std::unique_ptr<float[]> panel(new float[static_cast<std::size_t>(in * panel_width)]);
  const product p{x, rows, in, w, out, bias, y};
  switch (chosen) {
    case instructions::base:
      return multiply_base(p, panel.get());
    case instructions::avx2:
      return multiply_wide(p, panel.get());
    case instructions::avx512:
      return multiply_widest(p, panel.get());
  }
}

void rms_norm(const float *x, std::int64_t rows, std::int64_t width, const float *weight, float eps,
              float *y) {
  (chosen == instructions::base ? normalise_base : normalise_wide)(x, rows, width, weight, eps, y);
}

void layer_norm(const float *x, std::int64_t rows, std::int64_t width, const float *gain, const float *bias,
                float eps, float *y) {
  (chosen == instructions::base ? standardise_base : standardise_wide)(x, rows, width, gain, bias, eps, y);
}

void rotary_angles(std::int64_t position, std::int64_t head_dim, const float *frequencies, float *cosines,
                   float *sines) {
  for (std::int64_t i = 0; i < head_dim / 2; ++i) {
    const double angle = static_cast<float>(position) * frequencies[i];  // rounded as transformers rounds it
    cosines[i] = static_cast<float>(std::cos(angle));
    sines[i] = static_cast<float>(std::sin(angle));
  }
}

void rotate(const float *cosines, const float *sines, std::int64_t heads, std::int64_t head_dim, float *x) {
  const std::int64_t half = head_dim / 2;
  for (std::int64_t head = 0; head < heads; ++head, x += head_dim) {
    for (std::int64_t i = 0; i < half; ++i) {
      const float low = x[i], high = x[i + half];
      x[i] = low * cosines[i] - high * sines[i];
      x[i + half] = high * cosines[i] + low * sines[i];
    }
  }
}

void silu_gate(const float *gate_up, std::int64_t rows, std::int64_t width, float *y) {
  (chosen == instructions::base ? gate_base : gate_wide)(gate_up, rows, width, y);
}

void gelu_tanh(const float *x, std::int64_t n, float *y) {
  (chosen == instructions::base ? gelu_base : gelu_wide)(x, n, y);
}

}  // namespace slipstream::kernels
