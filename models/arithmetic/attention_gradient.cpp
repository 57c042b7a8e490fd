#include <algorithm>
#include <cmath>
#include <vector>

#include "models/arithmetic/attention.hpp"
#include "models/arithmetic/product.hpp"
#include "models/arithmetic/rows.hpp"

namespace slipstream::arithmetic {
namespace {

// Queries that are computed at once. The chains of gk and gv run block by block, and within a block head by
// head.
constexpr std::size_t block = 32;

struct range {
  std::size_t first, last;
};

range seen_by(std::size_t t, std::size_t window) {
  return {window > 0 && t + 1 > window ? t + 1 - window : 0, t + 1};
}

// scores[rows][tokens] of the queries from `start` on become their softmax, zero for tokens that they do not
// see.
void to_weights(const attention_pass &a, std::size_t start, std::size_t rows, std::size_t first,
                std::size_t tokens, float *scores) {
  const float scale = 1.0f / std::sqrt(static_cast<float>(a.head_dim));
  for (std::size_t r = 0; r < rows; ++r) {
    float *row = scores + r * tokens;
    const auto [from, to] = seen_by(start + r, a.window);
    float *own = row + (from - first);
    const std::size_t seen = to - from;
    for (std::size_t i = 0; i < seen; ++i) own[i] *= scale;
    const float total =
        exponentials(own, static_cast<std::int64_t>(seen), *std::max_element(own, own + seen));
    for (std::size_t i = 0; i < seen; ++i) own[i] /= total;
    std::fill(row, own, 0.0f);
    std::fill(own + seen, row + tokens, 0.0f);
  }
}

// gs = p (gy.v - gy.out) / sqrt(head_dim), in place of gy.v.
void to_score_gradients(const attention_pass &a, std::size_t row, std::size_t rows, std::size_t tokens,
                        const float *weights, float *products) {
  const float scale = 1.0f / std::sqrt(static_cast<float>(a.head_dim));
  for (std::size_t r = 0; r < rows; ++r) {
    const std::size_t at = row + r * a.heads * a.head_dim;
    const float mean = dot(a.gy + at, a.out + at, static_cast<std::int64_t>(a.head_dim));
    for (std::size_t i = 0; i < tokens; ++i) {
      float &x = products[r * tokens + i];
      x = weights[r * tokens + i] * (x - mean) * scale;
    }
  }
}

}  // namespace

// With p = softmax(s), s = q.k c: gs = p (gy.v - gy.out) c, gq = sum gs k, gk += gs q, gv += p gy.
void attention_gradient(const attention_pass &a, std::size_t kv_head, float *gq, float *gk, float *gv) {
  thread_local std::vector<float> weights, products;
  const std::size_t share = a.heads / a.kv_heads, dim = a.head_dim, stride = a.heads * dim,
                    kv_stride = a.kv_heads * dim;
  for (std::size_t start = 0; start < a.length; start += block) {
    const std::size_t rows = std::min(block, a.length - start);
    const std::size_t first = seen_by(start, a.window).first, tokens = start + rows - first;
    weights.resize(std::max(weights.size(), rows * tokens));
    products.resize(std::max(products.size(), rows * tokens));
    const std::size_t kv = first * kv_stride + kv_head * dim;
    const operand keys{a.k + kv, kv_stride, 1}, values{a.v + kv, kv_stride, 1};
    for (std::size_t head = kv_head * share; head < (kv_head + 1) * share; ++head) {
      const std::size_t row = start * stride + head * dim;
      multiply({a.q + row, stride, 1}, rows, keys, dim, 0, tokens, weights.data(), tokens);
      to_weights(a, start, rows, first, tokens, weights.data());
      multiply({a.gy + row, stride, 1}, rows, values, dim, 0, tokens, products.data(), tokens);
      multiply({weights.data(), 1, tokens}, tokens, operand{a.gy + row, 1, stride}, rows, 0, dim, gv + kv,
               kv_stride, true);
      to_score_gradients(a, row, rows, tokens, weights.data(), products.data());
      multiply({products.data(), tokens, 1}, rows, operand{a.k + kv, 1, kv_stride}, tokens, 0, dim, gq + row,
               stride);
      multiply({products.data(), 1, tokens}, tokens, operand{a.q + row, 1, stride}, rows, 0, dim, gk + kv,
               kv_stride, true);
    }
  }
}

}  // namespace slipstream::arithmetic
