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

/// Davidson's loss of each pair [N], in which ties have a place beside Bradley-Terry's wins (Davidson 1970,
/// "On extending the Bradley-Terry model to accommodate ties"): with d = better - worse the outcomes better,
/// worse and tie are as likely as exp(d/2) : exp(-d/2) : ν. `tie` [N] is true where neither is better,
/// `log_nu` [].
at::Tensor davidson(const at::Tensor &difference, const at::Tensor &tie, const at::Tensor &log_nu);

/// Binary cross entropy of each score [N] as a logit: labels [N] are 1 for good and 0 for bad. Good answers
/// count `positive_weight` times; with label smoothing s the target is label · (1 - s) + s / 2.
at::Tensor binary_cross_entropy(const at::Tensor &scores, const at::Tensor &labels,
                                double positive_weight = 1, double label_smoothing = 0);

/// Plackett-Luce loss of each ranking [N] (Plackett 1975, "The analysis of permutations"; Luce 1959): the
/// best of K answers is chosen first, then the best of the rest and so on, each time with the softmax of the
/// scores that are left. `scores` [N,K] from the best to the worst; `present` [N,K] is false behind a shorter
/// list's end. With `per_place` a list's loss is divided by its K - 1 choices.
at::Tensor plackett_luce(const at::Tensor &scores, const at::Tensor &present, bool per_place = false);

/// Lists one after the other, [N] scores and their places 1, 2 …, as rows [L,K] that are padded with 0.
struct score_rows {
  at::Tensor scores, present;
};
score_rows rows_of_lists(const at::Tensor &scores, const at::Tensor &places);

/// KTO's loss of each answer [N] (arXiv:2402.01306, eq. 8) from its log-ratio r = policy - reference [N]:
/// good λ_good (1 - sigmoid(β (r - z0))), bad λ_bad (1 - sigmoid(β (z0 - r))).
struct kto_options {
  double beta = 0.1, lambda_good = 1, lambda_bad = 1;
};
at::Tensor kto(const at::Tensor &log_ratio, const at::Tensor &labels, const at::Tensor &reference_point,
               const kto_options &options);
/// Its reference point z0, without a gradient: the mean log-ratio of mismatched completions [N], at least 0.
at::Tensor kto_reference_point(const at::Tensor &mismatched_log_ratio);

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
