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
#include "models/objectives/table.hpp"

namespace slipstream {

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
  at::Tensor targets;          ///< [N] ratings, labels or places; of a pair [2N], equal where it is a tie
  at::Tensor reference_point;  ///< [] of kto, over the whole mini-batch
  at::Tensor margin;           ///< [N] of pairs; may stay undefined
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

/// What a row of the table computes.
using objective_loss = objective_terms (*)(const objective_inputs &inputs, const objective_options &options);
objective_loss loss_of(const objective_row &row);

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
