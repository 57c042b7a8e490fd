#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "models/network/kept_rows.hpp"
#include "models/network/spec.hpp"
#include "models/types.hpp"

/// The transformer's building blocks as differentiable functions of N rows. Float32 on the CPU runs our
/// kernels (in exact numerics the products too); any other device or type runs LibTorch's operators, in fast
/// numerics only.
namespace slipstream::arithmetic {
class packed_matrix;
}

namespace slipstream::ops {

/// Whether our kernels compute this tensor. Throws input_error when exact numerics are asked of a tensor they
/// cannot take.
bool own_kernels(const at::Tensor &x, numerics mode);

/// x[N,in] w[out,in]^T + bias[out] (undefined: none).
at::Tensor linear(const at::Tensor &x, const at::Tensor &w, const at::Tensor &bias, numerics mode);

/// A LoRA pair, a[rank,in] and b[out,rank], that acts on the outputs from first_output on.
struct low_rank {
  at::Tensor a, b;
  std::int64_t first_output = 0;
  double scale = 1;
};
/// linear, plus scale * (x a^T) b^T of each pair. `packed`: w in panels, where gradients are not wanted;
/// null: not packed.
at::Tensor adapted_linear(const at::Tensor &x, const at::Tensor &w, const at::Tensor &bias,
                          const std::vector<low_rank> &adapters, numerics mode,
                          const arithmetic::packed_matrix *packed = nullptr);

/// RMSNorm of x[..., width], or LayerNorm where there is a bias.
struct norm_weights {
  at::Tensor gain, bias;
};
at::Tensor norm(const at::Tensor &x, const norm_weights &weights, double eps, numerics mode);

/// silu(gate) * up of x[N,2*width], side by side, or gelu of x[N,width].
at::Tensor activate(const at::Tensor &x, activation_kind kind, numerics mode);

/// Cosines and sines [N,head_dim/2] of positions [N] int64 by inverse frequencies [head_dim/2] (float32,
/// CPU).
struct rotary {
  at::Tensor cosines, sines;
};
rotary rotary_angles(const at::Tensor &positions, const at::Tensor &frequencies,
                     const at::TensorOptions &options);

/// Queries [N,heads,head_dim], keys and values [N,kv_heads,head_dim], queries and keys rotated.
struct heads {
  at::Tensor q, k, v;
};
/// Splits qkv[N,(heads+2*kv_heads)*head_dim]; normalises heads where spec.qk_norm, rotates where there are
/// angles.
heads split_heads(const at::Tensor &qkv, const rotary &angles, const norm_weights &q_norm,
                  const norm_weights &k_norm, const model_spec &spec, numerics mode);

/// Causal attention [N,heads,head_dim] of sequences that follow one another in the N rows; `lengths` add up
/// to N. Queries see the last `window` tokens, their own included; 0: all.
at::Tensor causal_attention(const heads &in, const std::vector<std::int64_t> &lengths, std::int64_t window,
                            numerics mode);

/// log softmax(logits[N,V] * scale)[ids[N]], [N]; of rows with kept tokens over these alone.
at::Tensor token_logprobs(const at::Tensor &logits, const at::Tensor &ids, double scale,
                          const kept_rows &kept, numerics mode);

/// Log-probabilities [N] of chosen tokens, and the entropies [N] of the whole distributions, in nats, without
/// a gradient; undefined unless asked for.
struct chosen_scores {
  at::Tensor logprobs, entropy;
};

}  // namespace slipstream::ops
