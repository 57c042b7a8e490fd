#pragma once

#include <caf/actor.hpp>

#include <string>
#include <vector>

#include "actors/services.hpp"

namespace slipstream {

/// What the proxy of a placed replica needs: a sampler's ledger and sinks, or, of a scorer, reference or
/// critic, who shares groups out among the replicas.
struct proxy_setup {
  std::string label, node;
  run_services services;
  caf::actor nodes;           ///< who places it again after it has failed
  std::int64_t restarts = 3;  ///< how often
  ledger_actor ledger{};
  weights_actor weights{};  ///< that the sampler follows; null: it follows none, or gets them late
  std::vector<rollout_sink> sinks{};
  router_actor router{};
  std::int64_t replica = 0;
};

/// Stands in the run's process for an actor on a node: all that goes to it and comes from it goes through
/// here, in the order in which it was sent. So a journal record is with the journal before what follows from
/// it is with anybody, as it is in one process. It knows what the actor holds: when that is lost, it gives it
/// back, with the tokens that the journal has of it.
caf::actor spawn_proxy(caf::actor_system &system, const proxy_setup &setup);

}  // namespace slipstream
