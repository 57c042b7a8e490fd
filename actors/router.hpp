#pragma once

#include <caf/fwd.hpp>

#include <vector>

#include "actors/interfaces.hpp"

namespace slipstream {

/// Where the replicas' figures go.
struct router_setup {
  std::vector<score_sink> scores;
  std::vector<logprob_sink> logprobs;
  std::vector<value_sink> values;
};

/// Gives each group to the replica that has the fewest groups (the first of equals), keeps the group until
/// its figures arrive, and gives it to another replica when that one is lost. While no replica is ready,
/// groups wait.
router_actor spawn_router(caf::actor_system &system, const router_setup &setup);

}  // namespace slipstream
