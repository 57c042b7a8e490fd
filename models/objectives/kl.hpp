#pragma once

#include <ATen/core/Tensor.h>

#include <string_view>

#include "models/objectives/options.hpp"

namespace slipstream {

/// Per-token estimate; `logp` and `reference` any equal shape. Where `mask` is 0 the result is 0.
at::Tensor kl_per_token(const at::Tensor &logp, const at::Tensor &reference, const at::Tensor &mask,
                        kl_estimator how);

/// Weight [B,T] for a KL term on samples of an older policy: min(exp(logp - behaviour), cap), constant to the
/// gradient.
at::Tensor kl_weight(const at::Tensor &logp, const at::Tensor &behaviour, const at::Tensor &mask, double cap);

/// Estimate of each sequence's divergence [B], to be taken off its reward: the sum over its tokens.
at::Tensor sequence_kl(const at::Tensor &logp, const at::Tensor &reference, const at::Tensor &mask,
                       kl_estimator how);

/// Proportional controller of the KL coefficient (Ziegler et al. 2019, arXiv:1909.08593, section 2.2): the
/// coefficient after an update whose measured divergence was `kl`.
double adapt_kl_coefficient(double coefficient, double kl, double target, double gain);

}  // namespace slipstream
