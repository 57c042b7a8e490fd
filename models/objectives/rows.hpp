#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/objectives/aggregate.hpp"
#include "models/objectives/kl.hpp"
#include "models/objectives/policy_losses.hpp"
#include "models/objectives/returns.hpp"

namespace slipstream {

/// What a micro-batch holds for an objective. Pairs lie as rows 2i (chosen) and 2i+1 (rejected).
enum class input_kind {
  tokens,            ///< per-token arrays [B,T]
  values,            ///< a critic's values [B,T]
  score_pairs,       ///< scores [2N] of a reward model
  scores,            ///< scores [N] of a reward model, and targets [N]
  preference_pairs,  ///< per-token log-probabilities [2N,T]
};

/// Inputs of one micro-batch; what a row does not need may stay undefined. Only logp, entropy, values and
/// scores may need gradients. What stands outside the mask has no effect, as long as it is finite.
struct objective_inputs {
  at::Tensor mask;        ///< [B,T] 1 on the tokens trained on
  at::Tensor logp;        ///< [B,T] under the weights being trained
  at::Tensor entropy;     ///< [B,T]; needed when entropy_coefficient is not 0, else only measured
  at::Tensor behaviour;   ///< [B,T] log-probabilities of the weights that drew the tokens
  at::Tensor proximal;    ///< [B,T] log-probabilities of the weights the trust region is around
  at::Tensor reference;   ///< [B,T] log-probabilities of the reference model
  at::Tensor advantages;  ///< [B,T], or [B,1] for one a sequence
  at::Tensor age;         ///< [B,T] versions between the weights that drew a token and those the batch found
  at::Tensor keep;        ///< [B,T] 0 on tokens without a policy term (M2PO's mask); undefined: all have one
  at::Tensor values, old_values, returns;  ///< [B,T], of a critic
  at::Tensor scores;                       ///< [2N] or [N], of a reward model
  at::Tensor targets;                      ///< [N] ratings
  at::Tensor margin;                       ///< [N] of pairs; may stay undefined
};

struct objective_options {
  aggregation aggregate = aggregation::token_mean;
  double horizon = 0;      ///< for seq_mean_token_sum_norm
  clip_bounds clip;        ///< eps_low, eps_high
  double dual_clip = 3;    ///< ppo_dual_clip
  weight_options weights;  ///< decoupled_ppo
  double kl_coefficient = 0;
  kl_estimator kl = kl_estimator::k3;
  double kl_cap = 2;  ///< off-policy weight of the KL term, where behaviour is given; 0: not weighted
  double entropy_coefficient = 0;
  double beta = 0.1;           ///< dpo
  double label_smoothing = 0;  ///< dpo
  double centring = 0;         ///< reward_pairs
  double value_clip = 0.2;     ///< value
  double stale_clip = 0;       ///< how fast a token's clip bounds shrink with its age (see stale_scale)
  vtrace_bounds vtrace{};      ///< vtrace: pg_rho; the others stand in its advantages
  double m2po_tau = 0;         ///< second moment that M2PO's mask keeps to, over the global batch; 0: no mask
};

struct objective_needs {
  bool behaviour = false;
  bool proximal = false;
  bool reference = false;
  bool advantages = false;
  /// Samples that `correction` has to do with before the loss does: the advantages must be made by it.
  bool corrected = false;
};

/// How metrics of micro-batches become one: added, averaged by their weights, or the largest.
enum class metric_kind { sum, mean, largest };
struct metric_slot {
  std::string_view name;
  metric_kind kind;
};

/// One objective's result on a micro-batch. `loss` is already divided by the global denominators: call
/// backward on it as it is. values[i] belongs to metrics[i]; means are sums still, to be divided by the sum
/// of values[0].
struct objective_result {
  at::Tensor loss;                   ///< scalar
  std::vector<metric_slot> metrics;  ///< the first is "tokens", "pairs" or "scores"
  at::Tensor values;                 ///< [metrics], on the loss's device, so that reading it can wait
  at::Tensor weights;  ///< importance weights before their cap, of the tokens (or sequences) counted; [n]
  at::Tensor sequence_log_weights;  ///< log of exp(logp - behaviour) over each sequence [B]; as `weights`
};                                  ///< undefined where there is no behaviour policy

/// A per-token (or per-row) loss and constants for metrics.
struct objective_terms {
  policy_terms policy;
  std::vector<std::pair<std::string_view, at::Tensor>> extra;  ///< averaged: shaped as the loss
};

struct objective_row {
  std::string_view name;
  input_kind kind = input_kind::tokens;
  objective_needs needs;
  /// What corrects for samples of older weights: "behaviour_clip", "decoupled", "truncated", "masked",
  /// "vtrace", "none", or "offline" where the data are fixed and there is nothing to correct.
  std::string_view correction;
  objective_options defaults;
  objective_terms (*loss)(const objective_inputs &inputs, const objective_options &options) = nullptr;
  std::string_view source;
};

/// The table, which rows.cpp holds.
std::span<const objective_row> objective_rows();
/// Throws input_error listing the rows there are.
const objective_row &find_objective(std::string_view name);
/// Cross entropy: the loss of demonstrations, also of those beside the samples of another loss.
const objective_row &cross_entropy();
/// What `row` needs under `options`: a KL term brings the reference in.
objective_needs needs_of(const objective_row &row, const objective_options &options);

/// The denominators of one micro-batch; sum them over the global batch.
denominators count(const objective_row &row, const objective_inputs &inputs);

/// The one entry point of a learner. Throws input_error naming an input that the row needs and did not get.
objective_result evaluate(const objective_row &row, const objective_inputs &inputs,
                          const objective_options &options, const denominators &global);

/// Metrics of an update, added up over its micro-batches (and data-parallel ranks).
struct metric_total {
  metric_kind kind = metric_kind::sum;
  double value = 0;   ///< largest ones are of ratios and weights, which are never negative
  double weight = 0;  ///< of a mean
};
using metric_totals = std::map<std::string, metric_total, std::less<>>;
/// Reads the result's metrics (waits for the device) into the totals.
void add_metrics(metric_totals &totals, const objective_result &result);
/// The figures of an update, "ess" (effective sample size as a share of the tokens) among them.
std::map<std::string, double> finish_metrics(const metric_totals &totals);

}  // namespace slipstream
