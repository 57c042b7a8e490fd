#pragma once

#include <caf/fwd.hpp>

#include <set>
#include <string>

#include "actors/services.hpp"
#include "runtime/schedule/shared_batches.hpp"

namespace slipstream {

struct buffer_setup {
  shared_batches groups;     ///< empty, or what an earlier part of the run left
  std::string path{};        ///< whose samples come: the name of the actor that gives them
  std::set<std::uint64_t> heard_before{};  ///< groups that come once more, for another path's sake
};

/// Holds the finished groups of one path until a whole batch is there, and gives it to each learner that pulls.
/// A group without samples counts as dropped, with its reason. What comes and goes is journalled.
buffer_actor spawn_buffer(caf::actor_system &system, buffer_setup setup, ledger_actor ledger,
                          run_services services);

}  // namespace slipstream
