#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "models/engine/engine.hpp"
#include "models/tokenizers/tokenizer.hpp"
#include "runtime/learning/samples.hpp"

namespace slipstream {

/// How a sampler draws, without its actor.
struct offline_sampler {
  engine_options engine;
  generation_request request;  ///< all but id, prompt and seed
  std::string device;
  std::shared_ptr<const tokenizer> text;
};

/// What an actor does, as plain functions: `slipstream replay --gradients` asks them for samples that the run
/// never drew. An actor fills in its own part; a kind without one cannot be asked.
struct offline_part {
  std::function<example_ptr(std::int64_t row)> row;                 ///< a loader's line, by its row
  std::function<sample_group_ptr(std::uint64_t id)> samples_drawn;  ///< a loader's training data, by the draw
  std::shared_ptr<const offline_sampler> sampler;
  std::function<std::vector<double>(const rollout_group &)> scores;
  std::function<std::vector<std::vector<float>>(const rollout_group &)> logprobs;  ///< a reference's
  std::function<sample_group(const joined_group &)> samples;                       ///< advantages
};

}  // namespace slipstream
