#pragma once

#include <caf/actor.hpp>

#include <string>

#include "actors/interfaces.hpp"

namespace slipstream {

/// On a node, the end of a placed actor's link: what the actor sends to the ledger, the journal, the recorder
/// and its sinks comes here and goes, in that order, to its proxy in the run's process; what the proxy
/// sends goes to the actor. Expects attach_atom with the actor, and tells the proxy when that dies.
/// `near`: the run is on this machine.
caf::actor spawn_uplink(caf::actor_system &system, const caf::actor &proxy, bool near);

}  // namespace slipstream
