#pragma once

#include <ATen/core/Tensor.h>

#include "models/objectives/options.hpp"

namespace slipstream {

/// Recurrences over time. They run on the CPU in float64 whatever the inputs are (a step of such a scan is
/// too little work for a tensor operation), and give back the inputs' type and device. Constant to the
/// gradient.

struct advantages_and_returns {
  at::Tensor advantages;  ///< [B,T], 0 outside the mask
  at::Tensor returns;     ///< [B,T], 0 outside the mask
};

/// Generalised advantage estimation (arXiv:1506.02438, eq. 16). rewards, values, mask [B,T]; bootstrap [B] is
/// the value after the last masked token: 0 where the episode ended, the critic's where it was cut off.
/// Tokens outside the mask are skipped. returns = advantages + values.
advantages_and_returns gae(const at::Tensor &rewards, const at::Tensor &values, const at::Tensor &bootstrap,
                           const at::Tensor &mask, double gamma, double lambda);

/// Discounted sums of the rewards to come [B,T]; tokens outside the mask are skipped.
at::Tensor returns_to_go(const at::Tensor &rewards, const at::Tensor &mask, double gamma);

/// REINFORCE++ (arXiv:2501.03262): scores [B] arrive at the last token, beta · (logp - reference) is taken
/// off every token; returns to go, whitened over the batch given.
advantages_and_returns reinforce_pp(const at::Tensor &scores, const at::Tensor &logp,
                                    const at::Tensor &reference, const at::Tensor &mask, double beta,
                                    double gamma, double eps = 1e-8);

struct vtrace_result {
  at::Tensor values;      ///< vs [T,B]
  at::Tensor advantages;  ///< of the policy gradient [T,B]
};
/// V-trace (IMPALA, arXiv:1802.01561, eq. 1), time first: log_rhos (target - behaviour), discounts, rewards
/// and values [T,B]; bootstrap [B] is the value after the last step.
vtrace_result vtrace(const at::Tensor &log_rhos, const at::Tensor &discounts, const at::Tensor &rewards,
                     const at::Tensor &values, const at::Tensor &bootstrap, const vtrace_bounds &bounds);

/// Clipped value loss a token, ½ max((v - R)², (clip(v, old ± eps) - R)²) [B,T] (OpenAI baselines), and where
/// the clipped term decided.
struct value_terms {
  at::Tensor loss;     ///< differentiable in values
  at::Tensor clipped;  ///< bool
};
value_terms value_loss(const at::Tensor &values, const at::Tensor &old_values, const at::Tensor &returns,
                       double eps);

}  // namespace slipstream
