#pragma once

#include <caf/actor.hpp>

#include <string>

#include "actors/interfaces.hpp"

namespace slipstream {

/// The end, on a node, of a placed actor's link. What the actor sends to the ledger, the journal, the
/// recorder and its sinks comes to the uplink and goes on to the proxy in the run's process, in the same
/// order. What the proxy sends goes to the actor. The uplink expects attach_atom with the actor, and tells
/// the proxy when the actor dies. `near`: the run is on this machine.
caf::actor spawn_uplink(caf::actor_system &system, const caf::actor &proxy, bool near);

}  // namespace slipstream
