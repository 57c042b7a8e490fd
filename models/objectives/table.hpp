#pragma once

#include <span>
#include <string_view>

#include "models/objectives/options.hpp"

namespace slipstream {

// The losses and advantages that there are, and what they need: rows of data, which need no tensor.

/// What a micro-batch holds for an objective. Pairs lie as rows 2i (chosen) and 2i+1 (rejected).
enum class input_kind {
  tokens,            ///< per-token arrays [B,T]
  values,            ///< a critic's values [B,T]
  score_pairs,       ///< scores [2N] of a reward model
  scores,            ///< scores [N] of a reward model, and targets [N]
  preference_pairs,  ///< per-token log-probabilities [2N,T]
  labels,            ///< scores [N] of a reward model, and targets [N]: 1 good, 0 bad
  score_lists,  ///< scores [N] of ranked answers, and targets [N]: places 1, 2 … of one list after another
  labelled_answers,  ///< per-token log-probabilities [N,T], and targets [N]: 1 good, 0 bad
};

struct objective_options {
  aggregation aggregate = aggregation::token_mean;
  double horizon = 0;                 ///< for seq_mean_token_sum_norm
  clip_bounds clip;                   ///< eps_low, eps_high
  double dual_clip = 3;               ///< ppo_dual_clip
  importance_weight_options weights;  ///< decoupled_ppo
  double kl_coefficient = 0;
  kl_estimator kl = kl_estimator::k3;
  double kl_cap = 2;  ///< off-policy weight of the KL term, where behaviour is given; 0: not weighted
  double entropy_coefficient = 0;
  double beta = 0.1;           ///< dpo
  double label_smoothing = 0;  ///< dpo, reward_binary
  double centring = 0;         ///< reward_pairs
  double nu = 0;               ///< reward_pairs: how likely ties are (davidson()); 0: there are none
  double positive_weight = 1;  ///< reward_binary: of good answers
  bool per_place = false;      ///< reward_rankings: each list by its number of choices
  double lambda_good = 1;      ///< kto
  double lambda_bad = 1;       ///< kto
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

struct objective_row {
  std::string_view name;
  input_kind kind = input_kind::tokens;
  objective_needs needs;
  /// What corrects for samples of older weights: "behaviour_clip", "decoupled", "truncated", "masked",
  /// "vtrace", "none", or "offline" where the data are fixed and there is nothing to correct.
  std::string_view correction;
  objective_options defaults;
  std::string_view source;
};

/// The table. What the rows compute is in rows.cpp.
std::span<const objective_row> objective_rows();
/// Throws input_error listing the rows there are.
const objective_row &find_objective(std::string_view name);
/// Cross entropy: the loss of demonstrations, also of those beside the samples of another loss.
const objective_row &cross_entropy();
/// What `row` needs under `options`: a KL term brings the reference in.
objective_needs needs_of(const objective_row &row, const objective_options &options);

/// What a batch's advantages a become: (a - mean) · scale.
struct normalisation {
  double mean = 0;
  double scale = 1;
};
/// 1 / sqrt(population variance + 1e-8), as whiten().
normalisation whitening(std::span<const double> values);

/// 1 / (sample standard deviation + eps): GDPO's step over the batch. A single value becomes 0.
normalisation standardising(std::span<const double> values, double eps = 1e-6);

/// A way from the rewards of one group to its advantages; advantages.cpp computes it.
struct advantage_row {
  std::string_view name;  ///< as in kind = "advantage.NAME"
  std::int64_t smallest_group = 1;
  std::string_view source;
  /// What the learner goes on to do with them over the sequences of the global batch; null: nothing.
  normalisation (*over_batch)(std::span<const double> values) = nullptr;
  bool by_scorer = false;  ///< each scorer's rewards are looked at by themselves, not their weighted sum
};

/// The table: grpo, dr_grpo, rloo, reinforce, reinforce_centred, reinforce_pp_baseline, gdpo.
std::span<const advantage_row> advantage_rows();
/// Throws input_error listing the rows there are.
const advantage_row &find_advantage(std::string_view name);

}  // namespace slipstream
