#include <algorithm>
#include <cmath>
#include <vector>

#include "models/network/instructions.hpp"
#include "models/network/kernels.hpp"
#include "models/network/lanes.hpp"

// The kernels that attend to cached keys and values, and the softmax.

namespace slipstream::kernels {
namespace {

// x[i] = exp(x[i] - greatest) for n elements; returns their sum in eight partial sums.
SLIPSTREAM_INLINE float exponentials(float *x, std::int64_t n, float greatest) {
  lanes8 total{}, part;
  std::int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    load(part, x + i);
    part -= greatest;
    exponential(part);
    store(x + i, part);
    total += part;
  }
  if (i < n) {
    load_some(part, x + i, n - i);
    part -= greatest;
    exponential(part);
    store_some(x + i, part, n - i);
    load_some(part, x + i, n - i);  // the lanes beyond count as zero
    total += part;
  }
  return sum(total);
}

struct query {
  const float *q;
  const key_values *cache;
  std::int64_t first, length, head_dim, offset;  // offset: of the key head within a row
  float *scores, *out;
};

// out[d .. d + 8 * C) = sum over t of scores[t] * value[t], from t = 0 on.
template <int C>
SLIPSTREAM_INLINE void mix(const query &a, std::int64_t d) {
  lanes8 total[C] = {}, value;
  const std::int64_t page_size = a.cache->page_size;
  for (std::int64_t t = a.first, page = a.first / page_size; t < a.length; ++page) {
    const float *row = a.cache->values[page] + t % page_size * a.cache->stride + a.offset + d;
    const std::int64_t end = std::min(a.length, (page + 1) * page_size);
    for (; t < end; ++t, row += a.cache->stride) {
      for (int c = 0; c < C; ++c) {
        load(value, row + 8 * c);
        total[c] += value * a.scores[t];
      }
    }
  }
  for (int c = 0; c < C; ++c) store(a.out + d + 8 * c, total[c]);
}

SLIPSTREAM_INLINE float mix_one(const query &a, std::int64_t d) {
  float total = 0.0f;
  const std::int64_t page_size = a.cache->page_size;
  for (std::int64_t t = a.first; t < a.length; ++t)
    total += a.cache->values[t / page_size][t % page_size * a.cache->stride + a.offset + d] * a.scores[t];
  return total;
}

// scores[t] = q . key[t] / sqrt(head_dim); returns the greatest.
SLIPSTREAM_INLINE float compare(const query &a) {
  const float scale = 1.0f / std::sqrt(static_cast<float>(a.head_dim));
  float greatest = -INFINITY;
  const std::int64_t page_size = a.cache->page_size;
  for (std::int64_t t = a.first, page = a.first / page_size; t < a.length; ++page) {
    const float *row = a.cache->keys[page] + t % page_size * a.cache->stride + a.offset;
    const std::int64_t end = std::min(a.length, (page + 1) * page_size);
    for (; t < end; ++t, row += a.cache->stride) {
      a.scores[t] = dot(a.q, row, a.head_dim) * scale;
      greatest = std::max(greatest, a.scores[t]);
    }
  }
  return greatest;
}

SLIPSTREAM_INLINE void attend_head(const query &a) {
  const float greatest = compare(a);
  const float total = exponentials(a.scores + a.first, a.length - a.first, greatest);
  for (std::int64_t t = a.first; t < a.length; ++t) a.scores[t] /= total;
  std::int64_t d = 0;
  for (; d + 32 <= a.head_dim; d += 32) mix<4>(a, d);
  for (; d + 8 <= a.head_dim; d += 8) mix<1>(a, d);
  for (; d < a.head_dim; ++d) a.out[d] = mix_one(a, d);
}

void attend_base(const query &a) {
  attend_head(a);
}
SLIPSTREAM_WIDE void attend_wide(const query &a) {
  attend_head(a);
}

SLIPSTREAM_INLINE float exponential_sum(const float *x, std::int64_t n, float scale, float greatest) {
  lanes8 total{}, part;
  std::int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    load(part, x + i);
    part = part * scale - greatest;
    exponential(part);
    total += part;
  }
  float rest = 0.0f;
  if (i < n) {
    load_some(part, x + i, n - i);
    part = part * scale - greatest;
    exponential(part);
    for (std::int64_t lane = 0; lane < n - i; ++lane) rest += part[lane];
  }
  return sum(total) + rest;
}

float exponential_sum_base(const float *x, std::int64_t n, float scale, float greatest) {
  return exponential_sum(x, n, scale, greatest);
}
SLIPSTREAM_WIDE float exponential_sum_wide(const float *x, std::int64_t n, float scale, float greatest) {
  return exponential_sum(x, n, scale, greatest);
}

}  // namespace

void attend_row(const float *q, const key_values &cache, std::int64_t first, std::int64_t length,
                std::int64_t heads, std::int64_t kv_heads, std::int64_t head_dim, float *out) {
  thread_local std::vector<float> scores;
  scores.resize(std::max(scores.size(), static_cast<std::size_t>(length)));
  const std::int64_t share = heads / kv_heads;
  for (std::int64_t h = 0; h < heads; ++h) {
    const query a{q + h * head_dim,  &cache, first, length, head_dim, h / share * head_dim, scores.data(),
                  out + h * head_dim};
    (chosen == instructions::base ? attend_base : attend_wide)(a);
  }
}

void log_softmax(const float *logits, std::int64_t n, float scale, float *out) {
  float greatest = -INFINITY;
  for (std::int64_t i = 0; i < n; ++i) greatest = std::max(greatest, logits[i] * scale);
  const float total = (chosen == instructions::base ? exponential_sum_base : exponential_sum_wide)(
      logits, n, scale, greatest);
  const float shift = greatest + static_cast<float>(std::log(static_cast<double>(total)));
  for (std::int64_t i = 0; i < n; ++i) out[i] = logits[i] * scale - shift;
}

}  // namespace slipstream::kernels
