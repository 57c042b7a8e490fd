#pragma once

#include "models/arithmetic/product.hpp"
#include "models/network/operations.hpp"

/// The same blocks through our own kernels, with gradients: dense float32 tensors on the CPU only.
namespace slipstream::functions {

at::Tensor linear(const at::Tensor &x, const at::Tensor &w, const at::Tensor &bias);
/// Without gradients, by a weight in panels.
at::Tensor linear(const at::Tensor &x, const arithmetic::packed_matrix &w, const at::Tensor &bias);
/// The same of a dense x, into y[N,out].
void linear(const at::Tensor &x, const arithmetic::packed_matrix &w, float *y);
at::Tensor rms_norm(const at::Tensor &x, const at::Tensor &weight, double eps);
at::Tensor layer_norm(const at::Tensor &x, const at::Tensor &gain, const at::Tensor &bias, double eps);
at::Tensor silu_gate(const at::Tensor &gate_up);
at::Tensor gelu_tanh(const at::Tensor &x);
at::Tensor rotate(const at::Tensor &x, const ops::rotary &angles);
ops::heads split_heads(const at::Tensor &qkv, const ops::rotary &angles, std::int64_t count,
                       std::int64_t kv_count);
at::Tensor causal_attention(const ops::heads &in, const std::vector<std::int64_t> &lengths,
                            std::int64_t window);
/// token_logprobs of hidden w^T, whose logits [N,V] are never there as a whole: computed in chunks of rows,
/// and again for the gradient.
ops::chosen_scores chosen_logprobs(const at::Tensor &hidden, const at::Tensor &w, const at::Tensor &ids,
                                   double scale, const kept_rows &kept, bool with_entropy);
at::Tensor token_logprobs(const at::Tensor &logits, const at::Tensor &ids, double scale,
                          const kept_rows &kept);

}  // namespace slipstream::functions
