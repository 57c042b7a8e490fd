#pragma once

#include <caf/fwd.hpp>

#include "actors/interfaces.hpp"

namespace slipstream {

/// Holds finished groups until a whole batch (`batch` rollouts) is there, and gives it to the learner that
/// pulls. A group without samples counts as dropped, with its reason.
buffer_actor spawn_buffer(caf::actor_system &system, std::int64_t batch, ledger_actor ledger);

}  // namespace slipstream
