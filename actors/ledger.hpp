#pragma once

#include <caf/fwd.hpp>

#include "actors/services.hpp"

namespace slipstream {

/// Keeps the books of one loader and admits prompts. `version_follows` false: the samplers' model does not
/// move with the learner, whose version counts instead.
ledger_actor spawn_ledger(caf::actor_system &system, ledger books, bool version_follows,
                          run_services services);

}  // namespace slipstream
