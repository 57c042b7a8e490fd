#pragma once

#include <caf/actor.hpp>

#include <string>

#include "actors/interfaces.hpp"

namespace slipstream {

/// On a node, the end of a placed actor's link: what the actor sends to the ledger, the journal, the recorder
/// and its sinks comes here and goes, in that order, to its stand-in in the run's process; what the stand-in
/// sends goes to the actor. Expects attach_atom with the actor, and tells the stand-in when that dies.
/// `near`: the run is on this machine.
caf::actor spawn_uplink(caf::actor_system &system, const caf::actor &stand_in, bool near);

}  // namespace slipstream
