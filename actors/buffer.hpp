#pragma once

#include <caf/fwd.hpp>

#include "actors/services.hpp"
#include "runtime/schedule/order_buffer.hpp"

namespace slipstream {

/// Holds finished groups until a whole batch (`batch` rollouts) is there, and gives it to the learner that
/// pulls. A group without samples counts as dropped, with its reason. What comes and goes is journalled.
/// `groups` is empty, or what an earlier part of the run left.
buffer_actor spawn_buffer(caf::actor_system &system, order_buffer groups, ledger_actor ledger,
                          run_services services);

}  // namespace slipstream
