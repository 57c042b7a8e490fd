#pragma once

#include <ATen/core/Tensor.h>

#include <string_view>

namespace slipstream {

/// Estimators of KL(policy || reference) from one sample a token (Schulman, "Approximating KL divergence",
/// 2020). With d = logp - reference: k1 = d, k2 = d²/2, k3 = exp(-d) - 1 + d; k3_through has k3's value and
/// k2's gradient (the gradient of k2 is, unlike k3's, the unbiased gradient of the divergence).
enum class kl_estimator { k1, k2, k3, k3_through };
kl_estimator parse_kl_estimator(std::string_view name);
std::string_view to_string(kl_estimator how);

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
