#pragma once

#include <caf/fwd.hpp>

#include "actors/interfaces.hpp"

namespace slipstream {

/// Keeps the newest published weights of one learner's model and hands them to whoever follows it. `first` may be null:
/// followers then wait for the first version.
weights_actor spawn_weights(caf::actor_system &system, snapshot_ptr first);

}  // namespace slipstream
