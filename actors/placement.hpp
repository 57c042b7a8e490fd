#pragma once

#include <cstdint>
#include <string>

#include "actors/preflight.hpp"

namespace slipstream {

/// An actor's replicas: how many there are, what each is called ("sampler-1", or the actor's name where there
/// is one), and the node that each runs on (empty: the run's own process).
std::int64_t replica_count(const actor_config &actor);
std::string replica_label(const actor_config &actor, std::int64_t index);
std::string replica_node(const actor_config &actor, std::int64_t index);

/// Whether a replica of the actor runs on `node` (empty: in the run's own process).
bool runs_on(const actor_config &actor, const std::string &node);
/// Whether any actor runs on a node.
bool places_actors(const topology &graph);

/// Looks at certificates and places before anything is opened. Throws input_error.
void check_links(const topology &graph);
/// Refuses what cannot be placed. Throws input_error at the key to blame.
void check_placement(const preflight &checks, const registry &kinds);

}  // namespace slipstream
