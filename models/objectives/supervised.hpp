#pragma once

#include <ATen/core/Tensor.h>

namespace slipstream {

/// Log-probability of each label under logits [..., V]; labels [...] int64; 0 where the label is -100. Logits
/// at position t score label t (already shifted).
at::Tensor label_logprobs(const at::Tensor &logits, const at::Tensor &labels);

/// Entropy in nats of the distributions of logits [..., V]; logits may be -infinity.
at::Tensor token_entropy(const at::Tensor &logits);

/// 1 where a label counts, 0 where it is -100, in the type of `like`.
at::Tensor label_mask(const at::Tensor &labels, const at::Tensor &like);

/// Bradley-Terry loss of each pair [N] (arXiv:2203.02155, eq. 1): -log sigmoid(chosen - rejected - margin),
/// plus centring · (chosen + rejected)² (arXiv:2312.09244). `margin` [N] may be undefined.
at::Tensor bradley_terry(const at::Tensor &chosen, const at::Tensor &rejected, const at::Tensor &margin = {},
                         double centring = 0);

/// DPO's loss of each pair [N] (arXiv:2305.18290, eq. 7) from sequence log-probabilities [N]; with label
/// smoothing s the pair counts as reversed with probability s (cDPO).
struct dpo_terms {
  at::Tensor loss;
  at::Tensor margin;  ///< beta times the difference of log-ratios: the implicit reward's margin
};
dpo_terms dpo(const at::Tensor &policy_chosen, const at::Tensor &policy_rejected,
              const at::Tensor &reference_chosen, const at::Tensor &reference_rejected, double beta,
              double label_smoothing = 0);

}  // namespace slipstream
