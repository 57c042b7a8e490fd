// What an update takes from its whole batch before, or after, it is cut into micro-batches.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "models/objectives/advantages.hpp"
#include "models/objectives/corrections.hpp"
#include "runtime/learning/sharded_model.hpp"
#include "runtime/learning/trainer.hpp"

namespace slipstream {

bool trainer::needs_target() const {
  return options_.vtrace && options_.objective->kind == input_kind::values;
}

bool trainer::needs_first_pass() const {
  if (options_.loss.m2po_tau > 0 || options_.vtrace) return true;
  return options_.objective->needs.proximal && !options_.interpolate &&
         options_.mini_batches * options_.epochs > 1;
}

/// Samples without advantage may stay out where no other term of the loss reaches them, and where no
/// statistic is taken over all tokens.
bool trainer::may_leave_out() const {
  const auto &loss = options_.loss;
  return options_.objective->needs.advantages && loss.kl_coefficient == 0 && loss.entropy_coefficient == 0 &&
         loss.m2po_tau == 0 && !options_.vtrace && !options_.keep_zero && !options_.ess_scaling;
}

std::vector<micro_batch *> trainer::parts() {
  std::vector<micro_batch *> result;
  for (auto &group : mini_batches_)
    for (auto &part : group.parts) result.push_back(&part);
  return result;
}

/// What takes its statistics over the whole batch.
void trainer::end_first_pass() {
  const at::NoGradGuard constant;
  if (options_.loss.m2po_tau > 0) mask_second_moment();
  if (options_.vtrace && options_.whiten_over != whitening_scope::none) whiten_targets();
}

/// V-trace's advantages over all tokens of the batch.
void trainer::whiten_targets() {
  std::vector<at::Tensor> advantages, mask;
  for (const auto *part : parts()) {
    advantages.push_back(part->inputs.advantages.reshape(-1));
    mask.push_back(part->inputs.mask.reshape(-1));
  }
  auto [all, offset] = in_all(advantages);
  const auto counted = in_all(mask).first;
  if (all.numel() == 0) return;
  const auto white = whiten(all.to(at::kDouble), counted.to(at::kDouble));
  for (auto *part : parts()) {
    auto &own = part->inputs.advantages;
    own = white.narrow(0, offset, own.numel()).view_as(own).to(own.device(), own.scalar_type());
    offset += own.numel();
  }
}

/// M2PO's mask, which takes the second moment over all tokens of the batch, those of the other ranks
/// included.
void trainer::mask_second_moment() {
  std::vector<at::Tensor> log_weights, mask;
  for (const auto *part : parts()) {
    log_weights.push_back((part->inputs.behaviour - part->inputs.proximal).reshape(-1));
    mask.push_back(part->inputs.mask.reshape(-1));
  }
  auto [all, offset] = in_all(log_weights);
  const auto counted = in_all(mask).first;
  if (all.numel() == 0) return;
  const auto kept = m2po_mask(at::zeros_like(all), all, counted, options_.loss.m2po_tau);
  for (auto *part : parts()) {
    const auto &own = part->inputs.mask;
    const auto keeps = kept.narrow(0, offset, own.numel()).view_as(own).to(own.device());
    part->inputs.keep = keeps.logical_or(own.eq(0));  // what is outside the mask is not "masked"
    offset += own.numel();
  }
}

/// Where no first pass gave proximal log-probabilities they are the policy's own, or between its own and the
/// behaviour's.
void trainer::add_proximal(objective_inputs &inputs) const {
  if (!options_.objective->needs.proximal || inputs.proximal.defined()) return;
  const at::NoGradGuard constant;
  const auto own = inputs.logp.detach();
  inputs.proximal = options_.interpolate
                        ? interpolate_proximal(own, inputs.behaviour, inputs.age.neg(), inputs.mask, 1)
                        : own;
}

/// Demonstrations beside the samples (PPO-ptx, arXiv:2203.02155, eq. 2): each mini-batch has its part of
/// them, weighted against the rest by tokens within that part.
void trainer::add_demonstrations(const std::vector<sample_group_ptr> &given) {
  const auto count = given.size(), parts = mini_batches_.size();
  for (std::size_t i = 0; i < parts; ++i) {
    std::vector<const sample *> samples;
    for (auto at = count * i / parts; at < count * (i + 1) / parts; ++at)
      for (const auto &entry : given[at]->samples) samples.push_back(&entry);
    auto &own = mini_batches_[i];
    share_out(samples, find_objective("sft"), own.demonstrations, own.demonstration_tokens, own.demonstrated);
  }
}

void trainer::imitate(const mini_batch &group, const micro_batch &part, bool last) {
  const auto &row = find_objective("sft");
  auto inputs = part.inputs;
  if (parts_) parts_->begin_pass(true);
  inputs.logp = batch_logprobs(model_, part.tokens, 1.0, false).logprobs;
  const auto result = evaluate(row, inputs, row.defaults, group.demonstrated);
  backward(result.loss * options_.sft_weight, last);
  add_metrics(imitated_, result);
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
  const auto imitated = options_.sft_weight > 0 ? all_metrics(imitated_) : metric_totals{};
  if (!imitated.empty())
    metrics["sft_loss"] =
        finish_metrics(imitated).at("loss") / static_cast<double>(options_.mini_batches * options_.epochs);
  if (options_.kl_target <= 0) return;
  auto &coefficient = options_.loss.kl_coefficient;
  metrics["kl_coefficient"] = coefficient;
  if (steps_ > 0 && metrics.contains("kl"))
    coefficient = adapt_kl_coefficient(coefficient, metrics["kl"], options_.kl_target, options_.kl_gain);
}

}  // namespace slipstream
