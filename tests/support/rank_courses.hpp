#pragma once

#include <ATen/ATen.h>

#include <cmath>
#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "runtime/learning/trainer.hpp"
#include "runtime/learning/vtrace.hpp"

/// What learners of several ranks are compared by: a small model, batches with everything that some loss asks
/// for, and the settings that make ranks depend on each other's figures.
namespace slipstream::test::ranks {

using batch = std::vector<sample_group_ptr>;

inline transformer small_model(std::int64_t labels, numerics mode = numerics::exact) {
  model_spec spec;
  spec.vocab_size = 12, spec.hidden_size = 16, spec.intermediate_size = 24, spec.layers = 2, spec.heads = 2;
  spec.kv_heads = 2, spec.head_dim = 8, spec.max_positions = 16, spec.labels = labels;
  spec.initializer_range = 0.2;
  return {spec, initial_parameters(spec, 5), mode};
}

inline bool needs_head(const objective_row &row) {
  return row.kind == input_kind::values || row.kind == input_kind::scores ||
         row.kind == input_kind::score_pairs || row.kind == input_kind::labels ||
         row.kind == input_kind::score_lists;
}

inline trainer_options options_of(const std::string &loss, std::int64_t replicas) {
  trainer_options options;
  options.objective = &find_objective(loss);
  options.loss = options.objective->defaults;
  options.loss.horizon = 8;
  options.rate = {schedule_shape::constant, 1e-3};
  options.micro_batch = 3;
  if (options.objective->kind == input_kind::score_pairs ||
      options.objective->kind == input_kind::preference_pairs)
    options.micro_batch = 4;
  if (options.objective->kind == input_kind::labelled_answers)
    options.reference = std::make_shared<const transformer>(small_model(0));
  options.replicas = replicas;
  options.bucket = 500;  // several, of which the last is short
  return options;
}

/// Two answers of 2 to 6 tokens with everything that some loss asks for, scattered by the group's number.
inline sample_group_ptr group_of(std::uint64_t id, float advantage) {
  auto group = std::make_shared<sample_group>();
  group->id = id;
  group->rollouts = 2;
  for (std::size_t i = 0; i < 2; ++i) {
    sample each;
    each.tokens = {1, static_cast<std::int64_t>(2 + id % 9)};
    each.prompt_length = 2;
    const auto length = 2 + (3 * id + 2 * i) % 5;
    for (std::size_t t = 0; t < length; ++t) {
      const auto mixed = static_cast<float>((3 * id + 5 * i + 7 * t) % 11);
      each.tokens.push_back(static_cast<std::int64_t>((id + 4 * i + 3 * t) % 12));
      each.behaviour.push_back(-2.4F - 0.05F * mixed);
      each.reference.push_back(-2.5F - 0.03F * mixed);
      each.advantages.push_back(advantage * (i == 0 ? 1.0F : -0.7F) * (1 + 0.1F * static_cast<float>(t)));
      each.values.push_back(0.1F * mixed - 0.5F);
      each.returns.push_back(0.3F * advantage - 0.05F * mixed);
      each.versions.push_back(0);
    }
    each.score = advantage + 0.3 * static_cast<double>(i);
    group->samples.push_back(each);
  }
  return group;
}

inline batch batch_of(std::uint64_t first, std::size_t groups = 7) {
  batch result;
  for (std::size_t i = 0; i < groups; ++i)
    result.push_back(group_of(first + i, std::sin(static_cast<float>(2 * (first + i) + 1))));
  return result;
}

inline trained_version train(trainer &core, const batch &given, const batch &demonstrations = {}) {
  core.begin(given, 0, {}, demonstrations);
  while (core.slice()) {
  }
  return core.complete(0);
}

/// The same answers judged as a loss needs it: labels, or the places of rankings.
inline batch judged(const batch &given, input_kind kind) {
  const bool places = kind == input_kind::score_lists;
  if (!places && kind != input_kind::labels && kind != input_kind::labelled_answers) return given;
  batch result;
  for (const auto &group : given) {
    auto copy = std::make_shared<sample_group>(*group);
    for (std::size_t i = 0; i < copy->samples.size(); ++i)
      copy->samples[i].score = places ? static_cast<double>(i + 1) : static_cast<double>((copy->id + i) % 2);
    result.push_back(std::move(copy));
  }
  return result;
}

struct course {
  std::vector<nlohmann::json> metrics;
  at::Tensor weights;
  nlohmann::json state;
};

inline course train_three(const trainer_options &options) {
  trainer core(options, small_model(needs_head(*options.objective) ? 1 : 0));
  course made;
  for (std::uint64_t update = 0; update < 3; ++update)
    made.metrics.push_back(train(core, judged(batch_of(10 * update), options.objective->kind),
                                 options.sft_weight > 0 ? batch_of(100 + 10 * update, 5) : batch{})
                               .metrics);
  made.weights = core.model().flat().clone();
  made.state = core.state();
  return made;
}

/// What a run could be set to that makes ranks depend on each other's figures.
inline std::vector<trainer_options> rank_settings(std::int64_t replicas) {
  auto stepped = options_of("decoupled_ppo", replicas);
  stepped.mini_batches = 2, stepped.epochs = 2, stepped.loss.kl_coefficient = 0.1;
  auto masked = options_of("m2po", replicas);
  masked.loss.m2po_tau = 0.01, masked.mini_batches = 2;
  auto gae = options_of("ppo", replicas);
  gae.transforms = {normalised_advantages(statistics_scope::tokens, whitening)};
  gae.loss.entropy_coefficient = 0.01;
  auto scaled = options_of("tis", replicas);
  scaled.ess_scaling = true, scaled.kl_target = 0.05, scaled.loss.kl_coefficient = 0.1;
  auto whitened = options_of("reinforce", replicas);
  whitened.transforms = {normalised_advantages(statistics_scope::sequences, whitening)};
  auto imitating = options_of("grpo", replicas);
  imitating.sft_weight = 0.5, imitating.sft_batch = 5, imitating.mini_batches = 2;
  auto traced = options_of("vtrace", replicas);
  traced.transforms = vtrace_transforms(vtrace_options{0.9, {}, 0.1}, true);
  return {options_of("sft", replicas), stepped, masked, gae, scaled, whitened, imitating, traced};
}

/// One rank whose first update trips a guard between its two steps, which rolls back.
inline trainer_options braking_options() {
  auto options = options_of("decoupled_ppo", 1);
  options.mini_batches = 2;
  options.keep_every = 1;
  guard_spec guard;
  guard.signal = "weight_max";
  guard.above = 1.05;
  guard.act = guard_action::roll_back;
  options.guards = {guard};
  return options;
}

}  // namespace slipstream::test::ranks
