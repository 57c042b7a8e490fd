#pragma once

#include <caf/actor.hpp>

#include <memory>
#include <string>
#include <utility>

#include "actors/services.hpp"
#include "runtime/nodes/far_rank.hpp"
#include "runtime/parallel/process_group.hpp"

namespace slipstream {

struct rank_proxy_setup {
  std::string label, node;
  std::int64_t rank = 0, ranks = 0;
  std::int64_t silence_ms = 0;  ///< after which CAF takes a node for dead
  run_services services;
  std::shared_ptr<meeting_point> meeting;
};

/// The end, in the run's process, of the link to a rank on a node. What the leader tells the rank and what
/// the rank answers pass through this actor, which also answers requests to the meeting point. Once the rank
/// is there, the run cannot go on without it: when it is gone, the run ends.
std::pair<caf::actor, std::shared_ptr<far_rank>> spawn_rank_proxy(caf::actor_system &system,
                                                                  const rank_proxy_setup &setup);

}  // namespace slipstream
