#pragma once

#include "actors/context.hpp"
#include "runtime/learning/trainer.hpp"

namespace slipstream {

/// Refuses ranks of a learner without work, cores or a place. Throws input_error at the key to blame.
void check_ranks(preflight &checks, const actor_config &self, const trainer_options &training);

/// How many of a learner's ranks are threads of the run's process, the first one included.
std::int64_t ranks_here(const actor_config &self, const trainer_options &training);

/// Has those ranks started that are on nodes, waits until all are there, and enters them into `training`.
/// Throws run_error when one does not come, interrupted_start when the user does not want to wait.
void place_ranks(spawn_context &context, const actor_config &self, trainer_options &training);

/// On a node: the rank that it was told to run.
caf::strong_actor_ptr spawn_placed_rank(spawn_context &context, const actor_config &self,
                                        const trainer_options &training);

}  // namespace slipstream
