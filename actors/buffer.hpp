#pragma once

#include <caf/fwd.hpp>

#include <chrono>
#include <set>
#include <string>

#include "actors/services.hpp"
#include "runtime/schedule/shared_batches.hpp"

namespace slipstream {

struct buffer_setup {
  shared_batches groups;  ///< empty, or what an earlier part of the run left
  ledger_actor ledger{};
  run_services services{};
  std::string path{};                      ///< whose samples come: the name of the actor that gives them
  std::set<std::uint64_t> heard_before{};  ///< groups that come once more, for another path's sake
  std::int64_t group = 1;                  ///< rollouts of a group
  std::int64_t least = 0;                  ///< groups that will do for a batch; 0: only a whole one
  std::chrono::nanoseconds patience{0};  ///< how long a learner waits for a whole batch before fewer will do
};

/// Keeps the finished groups of one path in the order that the schedule says and answers each learner's pull
/// once its batch is whole. Groups without samples, and those that came too late, are dropped in the ledger.
buffer_actor spawn_buffer(caf::actor_system &system, buffer_setup setup);

}  // namespace slipstream
