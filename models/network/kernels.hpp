#pragma once

#include <cstdint>

/// Float32 kernels for the CPU whose every output element is added up in one fixed order, which depends on no
/// other row and on no batch size, so equal inputs give equal bits however they were batched. They multiply
/// and add separately (never fused) and in lanes of fixed width, so the bits are also the same on every
/// processor. Matrices are row-major and dense; outputs must not overlap inputs unless said.
namespace slipstream::kernels {

/// y[rows,out] = x[rows,in] w[out,in]^T + bias[out] (null: none). Each element sums over `in` from first to
/// last.
void linear(const float *x, std::int64_t rows, std::int64_t in, const float *w, std::int64_t out,
            const float *bias, float *y);

/// y = x / sqrt(mean(x^2) + eps) * weight, row by row (RMSNorm, Zhang & Sennrich 2019). y may be x.
void rms_norm(const float *x, std::int64_t rows, std::int64_t width, const float *weight, float eps,
              float *y);

/// y = (x - mean) / sqrt(variance + eps) * gain + bias, row by row (LayerNorm, Ba et al. 2016). y may be x.
void layer_norm(const float *x, std::int64_t rows, std::int64_t width, const float *gain, const float *bias,
                float eps, float *y);

/// Cosines and sines [head_dim/2] of one position.
void rotary_angles(std::int64_t position, std::int64_t head_dim, const float *frequencies, float *cosines,
                   float *sines);
/// Rotates x[heads,head_dim] in place: element i pairs with i + head_dim/2, as Llama does.
void rotate(const float *cosines, const float *sines, std::int64_t heads, std::int64_t head_dim, float *x);

/// y[rows,width] = silu(gate) * up, where gate_up[rows,2*width] holds both side by side.
void silu_gate(const float *gate_up, std::int64_t rows, std::int64_t width, float *y);

/// y[n] = gelu(x) in its tanh form (Hendrycks & Gimpel 2016; "gelu_new"). y may be x.
void gelu_tanh(const float *x, std::int64_t n, float *y);

/// Keys and values of one sequence in pages: token t lies in page t / page_size at row t % page_size; rows
/// are `stride` floats apart and hold [kv_heads,head_dim]. One contiguous sequence is one page.
struct key_values {
  const float *const *keys;
  const float *const *values;
  std::int64_t page_size;
  std::int64_t stride;
};

/// out[heads,head_dim] of one query row q[heads,head_dim] over tokens first .. length - 1 of `cache`. Query
/// head h reads key head h / (heads / kv_heads). Scores are divided by sqrt(head_dim).
void attend_row(const float *q, const key_values &cache, std::int64_t first, std::int64_t length,
                std::int64_t heads, std::int64_t kv_heads, std::int64_t head_dim, float *out);

/// out[n] = log softmax of logits[n] * scale (scale = 1 / temperature). out may be logits.
void log_softmax(const float *logits, std::int64_t n, float scale, float *out);

}  // namespace slipstream::kernels
