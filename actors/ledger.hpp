#pragma once

#include <caf/fwd.hpp>

#include "actors/services.hpp"
#include "runtime/schedule/ledger_machine.hpp"

namespace slipstream {

/// Keeps the books of one loader and admits prompts. The ledger's state machine decides; the actor carries
/// its decisions out and passes messages on to it.
ledger_actor spawn_ledger(caf::actor_system &system, ledger_machine machine, run_services services);

}  // namespace slipstream
