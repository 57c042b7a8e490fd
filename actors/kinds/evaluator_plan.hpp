#pragma once

#include <memory>

#include "actors/preflight.hpp"
#include "runtime/evaluation/evaluation.hpp"

namespace slipstream {

/// Whether the actor is an evaluator.*.
bool is_evaluator(const actor_config &actor);

/// The learner whose versions the evaluator tries.
const actor_config &evaluated_learner(const preflight &checks, const actor_config &actor);

/// The evaluation that a verified topology's evaluator makes of `model`.
std::unique_ptr<evaluation> begin_evaluation(preflight &checks, const actor_config &actor,
                                             std::shared_ptr<const transformer> model);

}  // namespace slipstream
