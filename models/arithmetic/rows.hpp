#pragma once

#include <cstdint>

/// Norms, activations, rotations and softmax in float32, row by row. Sums run in sixteen lanes and one fixed
/// tree, so that a row has the same bits whatever else is computed and whichever instruction set computes it.
/// Matrices are dense and row-major; outputs may be their inputs. `gy` is the gradient of the output.
namespace slipstream::arithmetic {

/// y = x / sqrt(mean(x^2) + eps) * weight (RMSNorm, Zhang & Sennrich 2019).
void rms_norm(const float *x, std::int64_t rows, std::int64_t width, const float *weight, float eps,
              float *y);
/// Writes gx[rows,width] and adds to gw[width].
void rms_norm_gradient(const float *x, std::int64_t rows, std::int64_t width, const float *weight, float eps,
                       const float *gy, float *gx, float *gw);

/// y = (x - mean) / sqrt(variance + eps) * gain + bias (LayerNorm, Ba et al. 2016).
void layer_norm(const float *x, std::int64_t rows, std::int64_t width, const float *gain, const float *bias,
                float eps, float *y);
/// Writes gx[rows,width] and adds to gw[width]; the bias' gradient is the sum of gy.
void layer_norm_gradient(const float *x, std::int64_t rows, std::int64_t width, const float *gain, float eps,
                         const float *gy, float *gx, float *gw);

/// y[rows,width] = silu(gate) * up, where gate_up[rows,2*width] holds both side by side.
void silu_gate(const float *gate_up, std::int64_t rows, std::int64_t width, float *y);
/// Writes the gradient [rows,2*width] of both halves of gate_up.
void silu_gate_gradient(const float *gate_up, std::int64_t rows, std::int64_t width, const float *gy,
                        float *g);

/// y[n] = gelu(x) in its tanh form (Hendrycks & Gimpel 2016; "gelu_new").
void gelu_tanh(const float *x, std::int64_t n, float *y);
void gelu_tanh_gradient(const float *x, std::int64_t n, const float *gy, float *gx);

/// Rotates x[heads,head_dim] by the cosines and sines [head_dim/2] of its position: element i pairs with i +
/// head_dim/2, as Llama does.
void rotate(const float *cosines, const float *sines, std::int64_t heads, std::int64_t head_dim, float *x);

/// x[i] = e^(x[i] - greatest); returns their sum.
float exponentials(float *x, std::int64_t n, float greatest);

/// The greatest of x[n], n > 0; NaN is passed over.
float greatest(const float *x, std::int64_t n);

/// Elements whose exponentials are summed in float32; sums of blocks are added up in double, in their order.
constexpr std::int64_t softmax_block = 256;
/// Sums of e^(x * scale - peak) over each block of x[n], in sums[n / 256, rounded up]; returns their sum.
double softmax_sums(const float *x, std::int64_t n, float scale, float peak, float *sums);
/// y[i] = e^(x[i] * scale - peak), the numbers that softmax_sums adds.
void softmax_terms(const float *x, std::int64_t n, float scale, float peak, float *y);
/// The logarithm of the sum of e^(x * scale), from what softmax_sums gave.
float log_of_sum(float peak, double sum);

/// out[n] = log softmax of logits[n] * scale (scale = 1 / temperature): logits * scale - log_of_sum, with
/// peak = the greatest logit * scale.
void log_softmax(const float *logits, std::int64_t n, float scale, float *out);

/// That log_of_sum of logits[n] * scale.
float log_sum_exp(const float *logits, std::int64_t n, float scale);
/// The entropy, in nats, of softmax(logits[n] * scale), whose log_sum_exp is `log_sum`.
float softmax_entropy(const float *logits, std::int64_t n, float scale, float log_sum);
/// out[n] = x * scale - shift. out may be x.
void scale_and_shift(const float *x, std::int64_t n, float scale, float shift, float *out);

/// The gradient [n] by logits of the log-probability of token `id`, times `gy`: gy * scale * ((i == id) -
/// softmax[i]), from log_softmax's `logprobs`.
void log_softmax_gradient(const float *logprobs, std::int64_t n, std::int64_t id, float scale, float gy,
                          float *g);

/// The sum of a[i] * b[i].
float dot(const float *a, const float *b, std::int64_t n);

/// to[i] += from[i].
void add(const float *from, std::int64_t n, float *to);

}  // namespace slipstream::arithmetic
