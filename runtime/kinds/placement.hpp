#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/topology/topology.hpp"

namespace slipstream {

/// What each replica of an actor is called ("sampler-1", or the actor's name where there is one), and the
/// node that it runs on (empty: the run's own process).
std::string replica_label(const actor_config &actor, std::int64_t index);
std::string replica_node(const actor_config &actor, std::int64_t index);

/// What runs on a node: a replica of an actor, or of a learner one of the ranks that follow the first. Ranks
/// are called "learner-2", "learner-3" …; the first one is the learner itself.
struct placed_part {
  std::int64_t index = 0;  ///< of the replica or rank, from 0
  std::string label, node;
  std::int64_t before = 0;  ///< how many parts of the same actor the node has before it
};
std::vector<placed_part> placed_parts(const actor_config &actor);

/// Whether a replica of the actor runs on `node` (empty: in the run's own process).
bool runs_on(const actor_config &actor, const std::string &node);
/// Whether any actor runs on a node.
bool places_actors(const topology &graph);

}  // namespace slipstream
