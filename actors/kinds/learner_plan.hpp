#pragma once

#include "actors/preflight.hpp"
#include "runtime/learning/trainer.hpp"

namespace slipstream {

/// What a learner of a topology is set to, as the learner actor and `slipstream replay` use it.
trainer_options learner_options(preflight &plan, const actor_config &learner);
/// Of the main one.
trainer_options learner_options(preflight &plan);

}  // namespace slipstream
