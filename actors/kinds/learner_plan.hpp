#pragma once

#include <set>
#include <string>

#include "actors/preflight.hpp"
#include "runtime/learning/trainer.hpp"

namespace slipstream {

/// What a learner of a topology is set to, as the learner actor and `slipstream replay` use it.
trainer_options learner_options(preflight &plan, const actor_config &learner);
/// Of the main one.
trainer_options learner_options(preflight &plan);

/// The learners that go on from one version together: a critic whose returns are of the newest policy needs
/// those versions again that its batches met.
std::set<std::string> in_lockstep(const preflight &plan);

}  // namespace slipstream
