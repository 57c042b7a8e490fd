#pragma once

#include <caf/fwd.hpp>

#include "actors/services.hpp"
#include "runtime/schedule/ledger_machine.hpp"

namespace slipstream {

/// Keeps the books of one loader and admits prompts: it carries messages to and from the ledger's machine.
ledger_actor spawn_ledger(caf::actor_system &system, ledger_machine machine, run_services services);

}  // namespace slipstream
