#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "models/types.hpp"

/// The transformer's building blocks as differentiable functions of N rows. Float32 on the CPU runs our
/// kernels (in exact numerics the products too); any other device or type runs LibTorch's operators, in fast
/// numerics only.
namespace slipstream::ops {

/// Whether our kernels compute this tensor. Throws input_error when exact numerics are asked of a tensor they
/// cannot take.
bool own_kernels(const at::Tensor &x, numerics mode);

/// x[N,in] w[out,in]^T + bias[out] (undefined: none).
at::Tensor linear(const at::Tensor &x, const at::Tensor &w, const at::Tensor &bias, numerics mode);

at::Tensor rms_norm(const at::Tensor &x, const at::Tensor &weight, double eps, numerics mode);

/// silu(gate) * up of gate_up[N,2*width], side by side.
at::Tensor silu_gate(const at::Tensor &gate_up, numerics mode);

/// Cosines and sines [N,head_dim/2] of positions [N] int64.
struct rotary {
  at::Tensor cosines, sines;
};
rotary rotary_angles(const at::Tensor &positions, std::int64_t head_dim, double theta,
                     const at::TensorOptions &options);

/// Queries [N,heads,head_dim], keys and values [N,kv_heads,head_dim], queries and keys rotated.
struct heads {
  at::Tensor q, k, v;
};
/// Splits qkv[N,(heads+2*kv_heads)*head_dim].
heads split_heads(const at::Tensor &qkv, const rotary &angles, std::int64_t count, std::int64_t kv_count,
                  numerics mode);

/// Causal attention [N,heads,head_dim] of sequences that follow one another in the N rows; `lengths` add up
/// to N.
at::Tensor causal_attention(const heads &in, const std::vector<std::int64_t> &lengths, numerics mode);

/// log softmax(logits[N,V] * scale)[ids[N]], [N].
at::Tensor token_logprobs(const at::Tensor &logits, const at::Tensor &ids, double scale, numerics mode);

}  // namespace slipstream::ops
