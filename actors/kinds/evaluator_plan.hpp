#pragma once

#include "actors/preflight.hpp"

namespace slipstream {

/// Whether the actor evaluates versions: its plan says how.
bool is_evaluator(const preflight &plan, const actor_config &actor);

/// The learner whose versions the evaluator tries.
const actor_config &evaluated_learner(const preflight &checks, const actor_config &actor);

}  // namespace slipstream
