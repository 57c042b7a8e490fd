// What an update takes from its whole batch before, or after, it is cut into micro-batches.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "models/objectives/corrections.hpp"
#include "runtime/learning/trainer.hpp"

namespace slipstream {

bool trainer::needs_proximal_pass() const {
  if (options_.loss.m2po_tau > 0) return true;
  return options_.objective->needs.proximal && !options_.interpolate &&
         options_.mini_batches * options_.epochs > 1;
}

/// Samples without advantage may stay out where no other term of the loss reaches them, and where no
/// statistic is taken over all tokens.
bool trainer::may_leave_out() const {
  const auto &loss = options_.loss;
  return options_.objective->needs.advantages && loss.kl_coefficient == 0 && loss.entropy_coefficient == 0 &&
         loss.m2po_tau == 0 && !options_.keep_zero && !options_.ess_scaling;
}

/// M2PO's mask, which takes the second moment over all tokens of the batch, those of the other ranks
/// included.
void trainer::mask_second_moment() {
  const at::NoGradGuard constant;
  std::vector<at::Tensor> log_weights, mask;
  for (const auto &group : mini_batches_)
    for (const auto &part : group.parts) {
      log_weights.push_back((part.inputs.behaviour - part.inputs.proximal).reshape(-1));
      mask.push_back(part.inputs.mask.reshape(-1));
    }
  const auto by_rank = of_ranks(log_weights);
  const auto all = at::cat(by_rank), counted = at::cat(of_ranks(mask));
  if (all.numel() == 0) return;
  const auto kept = m2po_mask(at::zeros_like(all), all, counted, options_.loss.m2po_tau);
  std::int64_t offset = 0;
  for (std::int64_t rank = 0; options_.group && rank < options_.group->rank(); ++rank)
    offset += by_rank[static_cast<std::size_t>(rank)].numel();
  for (auto &group : mini_batches_)
    for (auto &part : group.parts) {
      const auto &mine = part.inputs.mask;
      const auto keeps =
          kept.narrow(0, offset, mine.numel()).view_as(mine).to(mine.device(), mine.scalar_type());
      part.inputs.keep = keeps.logical_or(mine.eq(0));  // what is outside the mask is not "masked"
      offset += mine.numel();
    }
}

/// Log-probabilities that stand beside the policy's own: the proximal ones and the reference's.
void trainer::complete_inputs(objective_inputs &inputs, micro_batch &part) {
  const at::NoGradGuard constant;
  const auto &row = *options_.objective;
  if (row.needs.proximal && !inputs.proximal.defined())
    inputs.proximal = options_.interpolate ? interpolate_proximal(inputs.logp.detach(), inputs.behaviour,
                                                                  inputs.age.neg(), inputs.mask, 1)
                                           : inputs.logp.detach();
  if (!options_.reference || !needs_of(row, options_.loss).reference) return;
  if (!part.inputs.reference.defined())  // once a batch: it does not move
    part.inputs.reference =
        batch_logprobs(*options_.reference, part.tokens, options_.temperature, false).logprobs;
  inputs.reference = part.inputs.reference;
}

void trainer::keep_weights(const objective_result &result) {
  if (!result.weights.defined()) return;
  weights_.push_back(result.weights);
  if (options_.ess_scaling) sequence_weights_.push_back(result.sequence_log_weights);
}

/// What the effective sample size leaves of the step: its root, as far as it is below `ess_base`.
double trainer::step_scale() {
  if (!options_.ess_scaling) return 1;
  const double share = effective_share(at::cat(of_ranks(std::exchange(sequence_weights_, {}))));
  return std::sqrt(std::min(share / options_.ess_base, 1.0));
}

/// The figures of the whole update, and the KL coefficient that the next one has.
void trainer::finish_update(nlohmann::json &metrics) {
  metrics.update(weight_quantiles(of_ranks(std::exchange(weights_, {}))));
  sequence_weights_.clear();
  if (options_.ess_scaling) metrics["step_scale"] = scale_;
  if (options_.kl_target <= 0) return;
  auto &coefficient = options_.loss.kl_coefficient;
  metrics["kl_coefficient"] = coefficient;
  if (steps_ > 0 && metrics.contains("kl"))
    coefficient = adapt_kl_coefficient(coefficient, metrics["kl"], options_.kl_target, options_.kl_gain);
}

}  // namespace slipstream
