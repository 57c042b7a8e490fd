// What a slice does: passes over one micro-batch, and with the last one of a mini-batch the optimizer's step.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

#include "models/error.hpp"
#include "models/objectives/corrections.hpp"
#include "models/objectives/supervised.hpp"
#include "runtime/learning/rank_trainer.hpp"
#include "runtime/schedule/schedule_controller.hpp"

namespace slipstream {
namespace {

bool per_token(input_kind kind) {
  return kind == input_kind::tokens || kind == input_kind::preference_pairs ||
         kind == input_kind::labelled_answers;
}

}  // namespace

/// Proximal log-probabilities: those of the weights as the batch found them, or of the policy whose returns a
/// critic learns.
void rank_trainer::add_proximal_logprobs(micro_batches &samples, std::size_t position) {
  const auto policy = needs_target_policy() ? target_policy_ : store_->frozen();
  if (position >= samples.own.size()) return policy.idle_pass();
  auto &micro = samples.own[position];
  micro.inputs.proximal = policy.logprobs(micro.tokens, options_.temperature);
  for (const auto &each : transforms_)
    if (each.of_micro_batch) each.of_micro_batch(micro.inputs);
}

/// Computes reference log-probabilities where the samples bring none. The reference does not change, so once
/// a batch is enough.
void rank_trainer::add_reference_logprobs(micro_batches &samples, std::size_t position) {
  const auto &row = *options_.objective;
  if (!reference_ || !per_token(row.kind) || !needs_of(row, options_.loss).reference) return;
  if (position >= samples.own.size()) {
    const bool brought = !batch_.front()->samples.front().reference.empty();
    if (!brought) reference_.idle_pass();
    return;
  }
  auto &micro = samples.own[position];
  if (!micro.inputs.reference.defined())
    micro.inputs.reference = reference_.logprobs(micro.tokens, options_.temperature);
}

/// Where no first pass gave proximal log-probabilities they are the policy's own, or between its own and the
/// behaviour's.
void rank_trainer::own_proximal(objective_inputs &inputs) const {
  if (!options_.objective->needs.proximal || inputs.proximal.defined()) return;
  const at::NoGradGuard constant;
  const auto own = inputs.logp.detach();
  inputs.proximal = options_.interpolate
                        ? interpolate_proximal(own, inputs.behaviour, inputs.age.neg(), inputs.mask, 1)
                        : own;
}

/// KTO's reference point, by the weights as they are now: forward passes over all mismatched answers of the
/// mini-batch in its first slice, and one figure of all ranks.
void rank_trainer::set_reference_point(mini_batch &batch, bool first_epoch) {
  const at::NoGradGuard constant;
  if (!reference_) throw input_error("loss \"kto\" compares with a reference, and the learner has none");
  auto &mismatched = batch.mismatched;
  const auto policy = store_->frozen();
  std::vector<at::Tensor> log_ratios;
  for (std::size_t i = 0; i < mismatched.slice_tokens.size(); ++i) {
    if (i >= mismatched.own.size()) {
      if (first_epoch) reference_.idle_pass();
      policy.idle_pass();
      continue;
    }
    auto &micro = mismatched.own[i];
    if (first_epoch) micro.inputs.reference = reference_.logprobs(micro.tokens, options_.temperature);
    const auto apart = policy.logprobs(micro.tokens, options_.temperature) - micro.inputs.reference;
    log_ratios.push_back((apart * micro.inputs.mask).sum(1).to(at::kDouble));
  }
  const auto all = at::cat(ranks_.by_rank(log_ratios));
  const auto point = kto_reference_point(all);
  for (auto &micro : batch.sampled.own)
    micro.inputs.reference_point = point.to(micro.inputs.mask.device(), micro.inputs.mask.scalar_type());
}

/// A rank with fewer micro-batches than another one has nothing to do in some slices but to give the others
/// its part of the parameters (ZeRO-3) and, in the last, to take the step.
void rank_trainer::train_slice(const batch_slice &at) {
  auto &batch = mini_batches_[at.mini_batch];
  const bool idle = batch.sampled.own.empty() && batch.demonstrated.own.empty();
  if (at.position == 0 && idle) store_->no_backward();
  if (at.position == 0 && !batch.mismatched.slice_tokens.empty()) set_reference_point(batch, at.epoch == 0);
  const auto samples = batch.sampled.slice_tokens.size();
  if (at.position < samples)
    train_samples(batch, at.position, at.epoch == 0);
  else
    train_demonstrations(batch, at.position - samples);
  if (at.ends_mini_batch) optimizer_step();
}

void rank_trainer::train_samples(mini_batch &batch, std::size_t position, bool first_epoch) {
  auto &samples = batch.sampled;
  tokens_ += samples.slice_tokens[position];
  if (first_epoch) add_reference_logprobs(samples, position);
  if (position >= samples.own.size()) return store_->idle_pass(true);
  const bool last = position + 1 == samples.own.size() && batch.demonstrated.own.empty();
  metrics_.add(add_gradient(samples.own[position], samples.totals, last), options_.ess_scaling);
}

/// Demonstrations beside the samples (arXiv:2203.02155, eq. 2).
void rank_trainer::train_demonstrations(mini_batch &batch, std::size_t position) {
  auto &shown = batch.demonstrated;
  tokens_ += shown.slice_tokens[position];
  if (position >= shown.own.size()) return store_->idle_pass(true);
  const auto &row = cross_entropy();
  const auto &micro = shown.own[position];
  auto inputs = micro.inputs;
  store_->begin_pass(true);
  inputs.logp = batch_logprobs(store_->network(), micro.tokens, 1.0).logprobs;
  const auto result = evaluate(row, inputs, row.defaults, shown.totals);
  backward(result.loss * options_.sft_weight, position + 1 == shown.own.size());
  metrics_.add_demonstrated(result);
}

/// Forward and backward of one micro-batch; its gradient comes on top of what the buffer holds. With the last
/// one of an optimizer step the ranks begin to add theirs up.
objective_result rank_trainer::add_gradient(micro_batch &micro, const denominators &totals, bool last) {
  const auto &row = *options_.objective;
  const auto &network = store_->network();
  auto inputs = micro.inputs;
  store_->begin_pass(true);
  if (per_token(row.kind)) {
    const auto wanted = options_.loss.entropy_coefficient != 0 ? entropies::differentiable
                        : row.needs.behaviour                  ? entropies::without_gradient
                                                               : entropies::none;
    auto scores = batch_logprobs(network, micro.tokens, options_.temperature, wanted);
    inputs.logp = scores.logprobs, inputs.entropy = scores.entropy;
    own_proximal(inputs);
  } else if (row.kind == input_kind::values) {
    inputs.values = batch_values(network, micro.tokens);
  } else {
    inputs.scores = batch_scores(network, micro.tokens);
  }
  auto result = evaluate(row, inputs, options_.loss, totals);
  if (!std::isfinite(result.loss.item<double>())) fail_not_finite("loss");
  backward(result.loss, last);
  return result;
}

void rank_trainer::backward(const at::Tensor &loss, bool last) {
  store_->backward(loss, last);
  store_->end_pass();
}

void rank_trainer::optimizer_step() {
  store_->finish_gradient();
  grad_norm_ = store_->gradient_norm();
  if (!std::isfinite(grad_norm_)) fail_not_finite("gradient");
  if (guard()) return;
  ++steps_;
  scale_ = step_scale();
  rate_ = learning_rate(options_.rate, store_->steps()) * scale_;
  store_->step(rate_, clip_scale(grad_norm_, options_.max_grad_norm));
}

/// Whether a guard keeps this step, and the rest of the batch, from being taken.
bool rank_trainer::guard() {
  if (options_.guards.empty()) return false;
  const auto found = metrics_.so_far();
  const schedule_controller::figures figures(found.begin(), found.end());
  for (const auto &each : options_.guards) {
    if (each.act == guard_action::shrink || !out_of_bounds(each, figures)) continue;
    tripped_ = reason_of(each, figures);
    store_->clear_gradient();
    if (each.act != guard_action::roll_back) return true;
    tripped_ += ", rolled back";
    steps_ = 0;
    store_->roll_back();
    return true;
  }
  return false;
}

/// What the effective sample size leaves of the step: its root, as far as it is below `ess_base`.
double rank_trainer::step_scale() {
  if (!options_.ess_scaling) return 1;
  return std::sqrt(std::min(metrics_.effective_share() / options_.ess_base, 1.0));
}

void rank_trainer::fail_not_finite(const std::string &what) const {
  std::string ids;
  for (const auto &group : batch_) ids += (ids.empty() ? "prompts " : ", ") + std::to_string(group->id);
  throw run_error("the " + what + " is not finite in update " + std::to_string(version_ + 1) +
                  "; batch: " + ids);
}

}  // namespace slipstream
