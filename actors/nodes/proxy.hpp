#pragma once

#include <caf/actor.hpp>

#include <string>
#include <vector>

#include "actors/services.hpp"

namespace slipstream {

/// What the proxy of a placed replica needs: for a sampler its ledger and sinks, for a scorer, reference or
/// critic the router that shares groups out among the replicas.
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

/// Stands in the run's process for an actor on a node. Everything that goes to the actor or comes from it
/// passes through its proxy, in the order in which it was sent. So the journal has a record before anybody
/// has what follows from it, as in one process. The proxy knows what work the actor holds. When the actor is
/// lost, the proxy gives this work back, with the tokens that the journal has of it.
caf::actor spawn_proxy(caf::actor_system &system, const proxy_setup &setup);

}  // namespace slipstream
