#pragma once

#include <caf/fwd.hpp>

#include <chrono>

#include "actors/services.hpp"
#include "runtime/schedule/order_buffer.hpp"

namespace slipstream {

struct buffer_setup {
  ledger_actor ledger;
  run_services services;
  std::int64_t group = 1;                ///< rollouts of a group
  std::int64_t least = 0;                ///< groups that will do for a batch; 0: only a whole one
  std::chrono::nanoseconds patience{0};  ///< how long a learner waits for a whole batch before fewer will do
};

/// Keeps finished groups in the order that the schedule says and answers a learner's pull once a batch is
/// whole. Groups without samples, and those that came too late, are dropped in the ledger.
buffer_actor spawn_buffer(caf::actor_system &system, order_buffer groups, buffer_setup setup);

}  // namespace slipstream
