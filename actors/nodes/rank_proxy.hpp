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

/// In the run's process, the end of the link to a rank on a node: what the leader tells the rank goes through
/// here, and what it answers; it also answers for the meeting point. Once the rank is there it cannot be done
/// without: when it is gone, the run ends.
std::pair<caf::actor, std::shared_ptr<far_rank>> spawn_rank_proxy(caf::actor_system &system,
                                                                  const rank_proxy_setup &setup);

}  // namespace slipstream
