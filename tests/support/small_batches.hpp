#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "models/network/transformer.hpp"
#include "runtime/learning/trainer.hpp"

/// A small model, and made-up samples for a trainer of it.
namespace slipstream::test {

inline model_spec small_spec() {
  model_spec spec;
  spec.vocab_size = 12;
  spec.hidden_size = 16;
  spec.intermediate_size = 24;
  spec.layers = 2;
  spec.heads = 2;
  spec.kv_heads = 2;
  spec.head_dim = 8;
  spec.max_positions = 16;
  return spec;
}
inline transformer small_model(std::uint64_t seed = 5) {
  const auto spec = small_spec();
  return {spec, initial_parameters(spec, seed), numerics::fast};
}
inline transformer small_critic(std::uint64_t seed = 5) {
  auto spec = small_spec();
  spec.labels = 1;
  return {spec, initial_parameters(spec, seed), numerics::fast};
}

inline trainer_options options_of(const char *loss) {
  trainer_options options;
  options.objective = &find_objective(loss);
  options.loss = options.objective->defaults;
  options.rate = {schedule_shape::constant, 1e-2};
  options.micro_batch = 3;
  return options;
}

/// Two answers of different length a group, with scattered log-probabilities.
inline sample_group_ptr group_of(std::uint64_t id, std::vector<float> advantages) {
  auto group = std::make_shared<sample_group>();
  group->id = id;
  group->rollouts = static_cast<std::int64_t>(advantages.size());
  for (std::size_t i = 0; i < advantages.size(); ++i) {
    sample each;
    each.tokens = {1, static_cast<std::int64_t>(2 + id), static_cast<std::int64_t>(3 + i), 5, 7};
    each.prompt_length = 2;
    if (i % 2 == 1) each.tokens.push_back(4);
    const auto length = each.tokens.size() - 2;
    for (std::size_t t = 0; t < length; ++t) {
      each.behaviour.push_back(-2.4F - 0.3F * static_cast<float>((3 * id + 5 * i + 7 * t) % 11));
      each.reference.push_back(-2.5F - 0.1F * static_cast<float>((id + 2 * i + t) % 5));
    }
    each.versions.assign(length, 0);
    each.advantages.assign(length, advantages[i]);
    each.score = advantages[i];
    group->samples.push_back(each);
  }
  return group;
}

/// The same answers with a critic's values instead of advantages.
inline std::vector<sample_group_ptr> valued_batch() {
  std::vector<sample_group_ptr> batch;
  for (std::uint64_t id = 0; id < 4; ++id) {
    auto group = std::make_shared<sample_group>(*group_of(id, {1, -1}));
    for (auto &entry : group->samples) {
      for (std::size_t t = 0; t < entry.behaviour.size(); ++t)
        entry.values.push_back(0.2F * static_cast<float>((id + 3 * t) % 4) - 0.3F);
      entry.advantages.clear();
    }
    batch.push_back(std::move(group));
  }
  return batch;
}

/// Prompts with answers to imitate.
inline std::vector<sample_group_ptr> demonstrations(std::uint64_t count) {
  std::vector<sample_group_ptr> result;
  for (std::uint64_t id = 0; id < count; ++id) {
    auto group = std::make_shared<sample_group>();
    group->id = id;
    sample entry;
    entry.tokens = {1, static_cast<std::int64_t>(2 + id), 9, static_cast<std::int64_t>(3 + id % 4)};
    entry.prompt_length = 2;
    group->samples.push_back(entry);
    result.push_back(std::move(group));
  }
  return result;
}

/// The model's parameters after one update.
inline at::Tensor weights_after(const trainer_options &options, const std::vector<sample_group_ptr> &batch,
                                const std::vector<sample_group_ptr> &shown = {}) {
  trainer core(options, small_model());
  core.begin(batch, 0, {}, shown);
  while (core.slice()) {
  }
  return core.complete(0).weights->flat();
}

}  // namespace slipstream::test
