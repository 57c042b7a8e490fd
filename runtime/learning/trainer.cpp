#include "runtime/learning/trainer.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>

#include "models/error.hpp"
#include "runtime/learning/batch_figures.hpp"
#include "runtime/learning/follower_ranks.hpp"
#include "runtime/learning/sharded_model.hpp"
#include "runtime/schedule/dials.hpp"

namespace slipstream {
namespace {

/// True where weight decay acts: matrices, not norms and biases.
at::Tensor decay_mask(const transformer &model) {
  auto mask = at::zeros({model.trainable().numel()}, at::kBool);
  for (const auto &slot : model.trainable_layout())
    if (slot.shape.size() >= 2) mask.narrow(0, slot.offset, slot.count()).fill_(true);
  return mask.to(model.trainable().device());
}

bool per_token(input_kind kind) {
  return kind == input_kind::tokens || kind == input_kind::preference_pairs;
}

}  // namespace

trainer::trainer(trainer_options options, const transformer &initial)
    : options_(std::move(options)), decays_(decay_mask(initial)), model_(initial) {
  if (options_.replicas > 1 && !options_.group) {
    followers_ = std::make_shared<follower_ranks>(options_, initial);
    options_.group = followers_->group();
  }
  if (options_.zero == 3 && options_.group) {
    share_parameters(initial);
  } else {
    parameters_ = initial.trainable().clone();
    gradient_ = at::zeros_like(parameters_);
    model_ = initial.with_trainable(parameters_);
    model_.train_into(gradient_);
    if (options_.group)
      reducer_ = std::make_shared<gradient_reducer>(options_.group, gradient_, options_.bucket);
  }
  const auto [first, count] = shard_of(options_.group ? options_.group->rank() : 0);
  optimizer_ = fresh_adamw(parameters_.narrow(0, first, count));
  keep_state();
}

const transformer &trainer::model() const {
  if (!parts_) return model_;
  if (!whole_) throw std::logic_error("this rank has a part of the model alone");
  return *whole_;
}

/// `whole`: the moments, which rank 0 alone has; null in the others.
void trainer::own_resume(const adamw_state *whole, std::int64_t step, const nlohmann::json &state) {
  optimizer_ = shard_from_first(whole);
  optimizer_.step = step;
  version_ = state.at("version");
  tokens_ = state.at("tokens");
  staleness_max_ = state.at("staleness_max");
  model_staleness_max_ = state.value("model_staleness_max", std::map<std::string, std::int64_t>{});
  if (options_.kl_target > 0)
    options_.loss.kl_coefficient = state.value("kl_coefficient", options_.loss.kl_coefficient);
  keep_state();
}

/// What a brake rolls back to: the state of the newest checkpoint, so that an interrupted run has the same.
void trainer::keep_state() {
  const bool wanted = std::any_of(options_.brakes.begin(), options_.brakes.end(),
                                  [](const auto &each) { return each.act == brake_action::roll_back; });
  if (!wanted) return;
  const at::NoGradGuard no_gradients;
  kept_ = parameters_.detach().clone();
  kept_moments_ = optimizer_;
  kept_moments_.m = optimizer_.m.clone();
  kept_moments_.v = optimizer_.v.clone();
}

nlohmann::json trainer::state() const {
  nlohmann::json result = {{"version", version_},
                           {"tokens", tokens_},
                           {"staleness_max", staleness_max_},
                           {"model_staleness_max", model_staleness_max_}};
  if (options_.kl_target > 0) result["kl_coefficient"] = options_.loss.kl_coefficient;
  return result;
}

void trainer::check_ages(const std::map<std::string, std::int64_t> &judges) {
  if (options_.in_step) {
    if (options_.staleness_bound) assert_staleness(batch_, version_, *options_.staleness_bound);
    if (options_.exact_lag) assert_lag(batch_, version_, *options_.exact_lag);
    staleness_max_ = std::max(staleness_max_, measure_staleness(batch_, version_).largest);
  }
  model_staleness_.clear();
  for (const auto &[model, bound] : options_.model_bounds) {
    const auto judge = judges.find(model);
    const bool in_step = options_.models_in_step.contains(model);
    if (!in_step && judge == judges.end()) continue;
    const auto age = in_step ? assert_model_age(batch_, model, version_, bound, true)
                             : assert_model_age(batch_, model, judge->second, bound, false);
    model_staleness_[model] = age;
    auto &largest = model_staleness_max_[model];
    largest = std::max(largest, age);
  }
}

void trainer::own_begin(std::vector<sample_group_ptr> batch, std::int64_t now_ns,
                        const std::map<std::string, std::int64_t> &judges,
                        const std::vector<sample_group_ptr> &demonstrations) {
  batch_ = std::move(batch);
  begun_ns_ = now_ns;
  std::sort(batch_.begin(), batch_.end(), [](const auto &a, const auto &b) { return a->id < b->id; });
  check_ages(judges);
  batch_ = whitened(batch_, options_.whiten_over);
  figures_ = batch_figures(batch_, version_, options_.in_step);  // now, as the version is waited for
  figures_.update(sample_shares(batch_, version_));
  metrics_.clear();
  imitated_.clear();
  braked_.clear();
  steps_ = 0;
  mini_batches_.clear();
  cursor_ = 0;
  if (version_ < options_.start_after) return;
  const auto groups = static_cast<std::int64_t>(batch_.size());
  for (std::int64_t part = 0; part < options_.mini_batches; ++part) {
    std::vector<const sample *> samples;
    for (auto i = groups * part / options_.mini_batches; i < groups * (part + 1) / options_.mini_batches; ++i)
      for (const auto &entry : batch_[static_cast<std::size_t>(i)]->samples) samples.push_back(&entry);
    add_mini_batch(samples);
  }
  add_demonstrations(demonstrations);
}

/// Samples without advantage are left out where no other term of the loss reaches them; their tokens stay in
/// the denominators.
void trainer::add_mini_batch(const std::vector<const sample *> &samples) {
  const auto &row = *options_.objective;
  const bool leave_out = may_leave_out();
  mini_batch result;
  std::vector<const sample *> useful;
  for (const auto *entry : samples) {
    if (!leave_out || has_advantage(*entry)) {
      useful.push_back(entry);
    } else {
      result.totals.tokens +=
          static_cast<double>(entry->tokens.size()) - static_cast<double>(entry->prompt_length);
      result.totals.sequences += 1;
    }
  }
  share_out(useful, row, result.parts, result.slice_tokens, result.totals);
  mini_batches_.push_back(std::move(result));
}

at::Tensor trainer::logprobs(const micro_batch &part, bool with_entropy, at::Tensor &entropy) const {
  auto scores = batch_logprobs(model_, part.tokens, options_.temperature, with_entropy);
  entropy = scores.entropy;
  return scores.logprobs;
}

/// Of a model that does not train; `parts`: where the ranks have parts of it.
at::Tensor trainer::constant_logprobs(const transformer &policy, const std::shared_ptr<sharded_model> &parts,
                                      const micro_batch &part) const {
  const at::NoGradGuard no_gradients;
  if (parts) parts->begin_pass(false);
  auto result = batch_logprobs(policy, part.tokens, options_.temperature, false).logprobs;
  if (parts) parts->end_pass();
  return result;
}

/// Proximal log-probabilities: those of the weights as the batch found them, or of the policy that a critic
/// values.
void trainer::anchor(mini_batch &group, std::size_t position) const {
  const auto &parts = needs_target() ? target_parts_ : parts_;
  if (position >= group.parts.size()) {
    if (parts) parts->idle_pass(false);
    return;
  }
  auto &part = group.parts[position];
  const at::NoGradGuard no_gradients;
  part.inputs.proximal = constant_logprobs(needs_target() ? *target_ : model_, parts, part);
  if (options_.vtrace) set_vtrace_targets(part.inputs, *options_.vtrace);
}

/// Reference log-probabilities where the samples bring none: once a batch, for they do not move.
void trainer::refer(mini_batch &group, std::size_t position) const {
  const auto &row = *options_.objective;
  if (!options_.reference || !per_token(row.kind) || !needs_of(row, options_.loss).reference) return;
  if (position >= group.parts.size()) {
    const bool brought = !batch_.front()->samples.front().reference.empty();
    if (reference_parts_ && !brought) reference_parts_->idle_pass(false);
    return;
  }
  auto &part = group.parts[position];
  if (!part.inputs.reference.defined())
    part.inputs.reference = constant_logprobs(*options_.reference, reference_parts_, part);
}

bool trainer::own_slice() {
  auto position = cursor_++;
  if (needs_first_pass()) {
    for (auto &group : mini_batches_) {
      if (position < group.slice_tokens.size()) {
        anchor(group, position);
        const bool last = position + 1 == group.slice_tokens.size() && &group == &mini_batches_.back();
        if (last) end_first_pass();
        return true;
      }
      position -= group.slice_tokens.size();
    }
  }
  for (std::int64_t epoch = 0; epoch < options_.epochs; ++epoch) {
    for (auto &group : mini_batches_) {
      if (position < group.slices()) {
        train(group, position, epoch == 0);
        const bool last = position + 1 == group.slices();
        return braked_.empty() && !(last && epoch + 1 == options_.epochs && &group == &mini_batches_.back());
      }
      position -= group.slices();
    }
  }
  return false;  // nothing had an advantage: the version moves on without a step
}

/// A rank with fewer parts than another one has nothing to do in some slices but to give the others its part
/// of the parameters (zero = 3) and, in the last, to take the step. `first`: of the batch's epochs.
void trainer::train(mini_batch &group, std::size_t position, bool first) {
  const auto sampled = group.slice_tokens.size();
  const auto own = group.parts.size(), shown = group.demonstrations.size();
  if (position == 0 && own + shown == 0 && reducer_) reducer_->start_rest();
  if (position < sampled) {
    tokens_ += group.slice_tokens[position];
    if (first) refer(group, position);
    if (position < own) {
      const auto result =
          add_gradient(group.parts[position], group.totals, position + 1 == own && shown == 0);
      add_metrics(metrics_, result);
      keep_weights(result);
    } else if (parts_) {
      parts_->idle_pass(true);
    }
  } else {
    const auto index = position - sampled;
    tokens_ += group.demonstration_tokens[index];
    if (index < shown)
      imitate(group, group.demonstrations[index], index + 1 == shown);
    else if (parts_)
      parts_->idle_pass(true);
  }
  if (position + 1 == group.slices()) optimizer_step();
}

/// Forward and backward of one micro-batch; its gradient comes on top of what the buffer holds. With the last
/// one of an optimizer step the ranks begin to add theirs up.
objective_result trainer::add_gradient(micro_batch &part, const denominators &totals, bool last) {
  const auto &row = *options_.objective;
  auto inputs = part.inputs;
  if (parts_) parts_->begin_pass(true);
  if (per_token(row.kind)) {
    inputs.logp =
        logprobs(part, row.needs.behaviour || options_.loss.entropy_coefficient != 0, inputs.entropy);
    add_proximal(inputs);
  } else if (row.kind == input_kind::values) {
    inputs.values = batch_values(model_, part.tokens);
  } else {
    inputs.scores = batch_scores(model_, part.tokens);
  }
  auto result = evaluate(row, inputs, options_.loss, totals);
  if (!std::isfinite(result.loss.item<double>()))
    throw run_error("the loss is not finite in update " + std::to_string(version_ + 1) +
                    "; batch: " + batch_ids());
  backward(result.loss, last);
  return result;
}

void trainer::backward(const at::Tensor &loss, bool last) {
  if (last && reducer_)
    reducer_->backward(loss);
  else
    loss.backward();
  if (parts_) parts_->end_pass();
}

/// Whether a brake keeps this step, and the rest of the batch, from being taken.
bool trainer::brake() {
  if (options_.brakes.empty()) return false;
  const auto found = finish_metrics(all_metrics(metrics_));
  const conductor::figures figures(found.begin(), found.end());
  for (const auto &each : options_.brakes) {
    if (each.act == brake_action::shrink || !out_of_bounds(each, figures)) continue;
    braked_ = reason_of(each, figures);
    gradient_.zero_();
    if (each.act != brake_action::roll_back) return true;
    braked_ += ", rolled back";
    steps_ = 0;
    parameters_.copy_(kept_);
    optimizer_.step = kept_moments_.step;
    optimizer_.m.copy_(kept_moments_.m);
    optimizer_.v.copy_(kept_moments_.v);
    return true;
  }
  return false;
}

void trainer::optimizer_step() {
  const at::NoGradGuard no_gradients;
  if (reducer_) reducer_->finish();
  grad_norm_ = norm_of_all();
  if (!std::isfinite(grad_norm_))
    throw run_error("the gradient is not finite in update " + std::to_string(version_ + 1) +
                    "; batch: " + batch_ids());
  if (brake()) return;
  ++steps_;
  scale_ = step_scale();
  rate_ = learning_rate(options_.rate, optimizer_.step) * scale_;
  step_shard(clip_scale(grad_norm_, options_.max_grad_norm));
  gradient_.zero_();
}

trained_version trainer::own_complete(std::int64_t now_ns) {
  const at::NoGradGuard no_gradients;
  trained_version result;
  result.version = ++version_;
  result.metrics = {{"update", version_},
                    {"version", version_},
                    {"seconds", static_cast<double>(now_ns - begun_ns_) / 1e9},
                    {"grad_norm", grad_norm_},
                    {"learning_rate", rate_}};
  result.metrics.update(figures_);
  for (const auto &[model, age] : model_staleness_) result.metrics["model_staleness"][model] = age;
  for (const auto &[name, value] : finish_metrics(all_metrics(metrics_))) result.metrics[name] = value;
  if (result.metrics.contains("loss"))  // a sum over the optimizer's steps
    result.metrics["loss"] =
        result.metrics["loss"].get<double>() / static_cast<double>(options_.mini_batches * options_.epochs);
  finish_update(result.metrics);
  for (const auto &group : batch_) result.ids.push_back(group->id);
  if (!braked_.empty()) result.metrics["brake"] = braked_;
  if (steps_ == 0) result.braked = braked_;
  if (options_.keep_every > 0 && version_ % options_.keep_every == 0) keep_state();
  if (parts_ || !options_.group || options_.group->rank() == 0) publish_into(result);
  newest_metrics_ = result.metrics;
  for (const char *of_one_update : {"update", "version", "seconds", "tokens"})
    newest_metrics_.erase(of_one_update);
  return result;  // the version is waited for: begin() gives the batch's memory back
}

/// The weights as nobody will write them again, in a buffer that nobody else holds any more.
void trainer::publish_into(trained_version &result) {
  if (parts_ && !whole_) return parts_->collect(parameters_, {});
  const auto &like = parts_ ? *whole_ : model_;
  auto reusable = std::find_if(published_.begin(), published_.end(),
                               [](const auto &buffer) { return buffer.use_count() == 1; });
  if (reusable == published_.end()) {
    published_.push_back(
        std::make_shared<const transformer>(like.with_trainable(at::empty_like(like.trainable()))));
    reusable = published_.end() - 1;
  }
  auto buffer = (*reusable)->trainable();
  result.weights = *reusable;
  if (!parts_) {
    buffer.copy_(parameters_);
    return;
  }
  parts_->collect(parameters_, buffer);
  whole_ = *reusable;
}

nlohmann::json trainer::summary() const {
  auto result = newest_metrics_;
  result["updates"] = version_;
  result["staleness_max"] = staleness_max_;
  result["tokens_trained"] = tokens_;
  result.erase("model_staleness");
  for (const auto &[model, largest] : model_staleness_max_) {
    result["model_staleness"][model] = {{"max", largest}, {"bound", nullptr}};
    if (const auto bound = options_.model_bounds.at(model))
      result["model_staleness"][model]["bound"] = *bound;
  }
  return result;
}

std::string trainer::batch_ids() const {
  std::string text;
  for (const auto &group : batch_) text += (text.empty() ? "prompts " : ", ") + std::to_string(group->id);
  return text;
}

}  // namespace slipstream
