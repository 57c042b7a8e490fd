#include "runtime/learning/rank_trainer.hpp"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <utility>

#include "models/error.hpp"
#include "runtime/learning/batch_figures.hpp"
#include "runtime/learning/importance_weight_figures.hpp"

namespace slipstream {
namespace {

storage_options storage_of(const trainer_options &options) {
  return {options.optimizer, options.ranks, options.zero, options.device, options.bucket};
}

/// Those declared for the samples, as far as the loss has use for them, and those that the loss asks for.
std::vector<batch_transform> transforms_of(const trainer_options &options) {
  std::vector<batch_transform> result;
  for (const auto &each : options.transforms)
    if (!each.of_advantages || options.objective->needs.advantages) result.push_back(each);
  for (const auto *each : token_transforms_of(options.loss)) {
    result.emplace_back();
    result.back().name = each->name;
    result.back().over_tokens = each;
  }
  return result;
}

}  // namespace

rank_trainer::rank_trainer(trainer_options options, const transformer &initial)
    : options_(std::move(options)),
      transforms_(transforms_of(options_)),
      ranks_(options_.ranks),
      store_(make_parameter_store(storage_of(options_), initial)),
      ages_(options_),
      metrics_(ranks_) {
  if (options_.reference) reference_ = store_->hold(options_.reference);
  if (ranks_.rank() == 0) whole_reference_ = options_.reference;
  options_.reference = nullptr;
  keep_state();
}

void rank_trainer::resume(const adamw_state *moments, std::int64_t step, const nlohmann::json &state) {
  store_->set_moments(moments, step);
  version_ = state.at("version");
  tokens_ = state.at("tokens");
  ages_.resume(state);
  if (options_.kl_target > 0)
    options_.loss.kl_coefficient = state.value("kl_coefficient", options_.loss.kl_coefficient);
  keep_state();
}

nlohmann::json rank_trainer::state() const {
  nlohmann::json result = {{"version", version_}, {"tokens", tokens_}};
  ages_.add_to_state(result);
  if (options_.kl_target > 0) result["kl_coefficient"] = options_.loss.kl_coefficient;
  return result;
}

/// What a guard rolls back to: the state of the newest checkpoint, so that an interrupted run has the same.
void rank_trainer::keep_state() {
  const bool wanted = std::any_of(options_.guards.begin(), options_.guards.end(),
                                  [](const auto &each) { return each.act == guard_action::roll_back; });
  if (wanted) store_->keep_state();
}

bool rank_trainer::needs_target_policy() const {
  return transforms_need_proximal() && options_.objective->kind == input_kind::values;
}

void rank_trainer::set_target_policy(const std::shared_ptr<const transformer> &policy) {
  target_policy_ = store_->hold(policy);
  if (!store_->is_sharded()) whole_target_ = policy;
}

bool rank_trainer::transforms_need_proximal() const {
  return std::any_of(transforms_.begin(), transforms_.end(),
                     [](const auto &each) { return each.needs_proximal(); });
}

bool rank_trainer::needs_first_pass() const {
  if (transforms_need_proximal()) return true;
  return options_.objective->needs.proximal && !options_.interpolate && optimizer_steps() > 1;
}

/// Samples without advantage may stay out where no other term of the loss reaches them, and where no
/// statistic is taken over all tokens.
bool rank_trainer::may_leave_out_zero() const {
  const auto &loss = options_.loss;
  return options_.objective->needs.advantages && loss.kl_coefficient == 0 && loss.entropy_coefficient == 0 &&
         !transforms_need_proximal() && !options_.keep_zero && !options_.ess_scaling;
}

cutting rank_trainer::how_to_cut() const {
  cutting how;
  how.rank = ranks_.rank(), how.ranks = ranks_.ranks();
  how.rows = options_.micro_batch;
  how.pad_token = std::max<std::int64_t>(store_->network().spec().pad_token, 0);
  how.device = store_->device();
  how.version = version_;
  how.leave_out_zero = may_leave_out_zero();
  return how;
}

sample_groups rank_trainer::transformed(sample_groups batch) const {
  for (const auto &each : transforms_)
    if (each.of_samples) batch = each.of_samples(batch);
  return batch;
}

void rank_trainer::begin(sample_groups batch, std::int64_t now_ns,
                         const std::map<std::string, std::int64_t> &scoring_models,
                         const sample_groups &demonstrations) {
  batch_ = std::move(batch);
  begun_ns_ = now_ns;
  std::sort(batch_.begin(), batch_.end(), [](const auto &a, const auto &b) { return a->id < b->id; });
  ages_.look(batch_, version_, scoring_models);
  batch_ = transformed(std::move(batch_));
  figures_ = batch_figures(batch_, version_, options_.in_step);  // now, as the version is waited for
  figures_.update(sample_shares(batch_, version_));
  metrics_.clear();
  tripped_.clear();
  steps_ = 0;
  mini_batches_.clear();
  cursor_ = 0;
  if (version_ < options_.start_after) return;
  mini_batches_ = cut_batch(batch_, demonstrations, options_.mini_batches, *options_.objective, how_to_cut());
}

bool rank_trainer::slice() {
  const auto at = slice_at(mini_batches_, needs_first_pass(), options_.epochs, cursor_++);
  if (!at) return false;  // nothing had an advantage: the version moves on without a step
  if (!at->first_pass) {
    train_slice(*at);
    return tripped_.empty() && !(at->ends_pass && at->epoch + 1 == options_.epochs);
  }
  add_proximal_logprobs(mini_batches_[at->mini_batch].sampled, at->position);
  if (at->ends_pass) end_first_pass();
  return true;
}

/// What takes its statistics over the tokens of the whole batch.
void rank_trainer::end_first_pass() {
  const auto own = own_micro_batches(mini_batches_);
  for (const auto &each : transforms_)
    if (each.over_tokens) ranks_.transform(*each.over_tokens, options_.loss, own);
}

trained_version rank_trainer::complete(std::int64_t now_ns) {
  const at::NoGradGuard no_gradients;
  trained_version result;
  result.version = ++version_;
  auto &metrics = result.metrics;
  metrics = {{"update", version_},
             {"version", version_},
             {"seconds", static_cast<double>(now_ns - begun_ns_) / 1e9},
             {"grad_norm", grad_norm_},
             {"learning_rate", rate_}};
  metrics.update(figures_);
  ages_.add_to_metrics(metrics);
  metrics_.add_to(metrics, optimizer_steps(), options_.sft_weight > 0);
  if (options_.ess_scaling) metrics["step_scale"] = scale_;
  adapt_coefficient(metrics);
  for (const auto &group : batch_) result.ids.push_back(group->id);
  if (!tripped_.empty()) metrics["guard"] = tripped_;
  if (steps_ == 0) result.tripped = tripped_;
  if (options_.keep_every > 0 && version_ % options_.keep_every == 0) keep_state();
  result.weights = store_->publish();
  newest_metrics_ = metrics;
  for (const char *of_one_update : {"update", "version", "seconds", "tokens"})
    newest_metrics_.erase(of_one_update);
  return result;  // the version is waited for: begin() gives the batch's memory back
}

/// The KL coefficient that the next update has.
void rank_trainer::adapt_coefficient(nlohmann::json &metrics) {
  if (options_.kl_target <= 0) return;
  auto &coefficient = options_.loss.kl_coefficient;
  metrics["kl_coefficient"] = coefficient;
  if (steps_ > 0 && metrics.contains("kl"))
    coefficient = adapt_kl_coefficient(coefficient, metrics["kl"], options_.kl_target, options_.kl_gain);
}

nlohmann::json rank_trainer::summary() const {
  auto result = newest_metrics_;
  result["updates"] = version_;
  result["tokens_trained"] = tokens_;
  ages_.add_to_summary(result);
  return result;
}

}  // namespace slipstream
