#pragma once

#include <functional>
#include <string>
#include <vector>

#include "actors/context.hpp"

namespace slipstream {

/// Spawns a replica under its label and gives it into the supervisor's care.
using sampler_spawner = std::function<void(const std::string &label)>;
/// Spawns the replicas of a sampler: here, or proxies for those that run on nodes.
void spawn_samplers(spawn_context &context, const actor_config &self, const sampler_spawner &here);

/// Where a scorer, reference or critic puts its figures; one of these is not empty.
struct figure_sinks {
  std::vector<score_sink> scores;
  std::vector<logprob_sink> logprobs;
  std::vector<value_sink> values;
};
using scorer_spawner =
    std::function<caf::strong_actor_ptr(const std::string &label, const figure_sinks &sinks)>;
/// Spawns the replicas of a scorer, reference or critic that gives `port`: here, or proxies for those that
/// run on nodes. Answers with who receives the groups.
caf::strong_actor_ptr spawn_scorers(spawn_context &context, const actor_config &self, const std::string &port,
                                    const scorer_spawner &here);

}  // namespace slipstream
