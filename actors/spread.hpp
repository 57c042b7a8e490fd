#pragma once

#include <caf/fwd.hpp>

#include <vector>

#include "actors/interfaces.hpp"

namespace slipstream {

/// Where the replicas' figures go.
struct spread_setup {
  std::vector<score_sink> scores;
  std::vector<logprob_sink> logprobs;
  std::vector<value_sink> values;
};

/// Gives each group to the replica that has fewest (of equals the first), keeps it until its figures are
/// there, and gives it to another one when that replica is lost. While none is ready, groups wait.
spread_actor spawn_spread(caf::actor_system &system, const spread_setup &setup);

}  // namespace slipstream
