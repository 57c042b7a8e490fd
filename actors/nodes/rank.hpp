#pragma once

#include <caf/actor.hpp>

#include <functional>
#include <memory>
#include <string>

#include "actors/services.hpp"
#include "runtime/learning/rank_worker.hpp"

namespace slipstream {

struct rank_setup {
  std::string label;
  caf::actor uplink;
  recorder_actor recorder;
  trainer_options options;
  std::shared_ptr<const transformer> initial;
  std::int64_t rank = 0;
  std::string device;
};

/// Runs, on a node, a rank of a learner whose leader is in the run's process. The rank does what the leader
/// says, on a thread of its own. It talks to the uplink in rank messages (runtime/nodes/rank_frames.hpp), and
/// finds the other ranks by the run's meeting point, over the same link.
caf::actor spawn_rank(caf::actor_system &system, rank_setup setup);

}  // namespace slipstream
