#pragma once

#include <caf/actor.hpp>

#include <string>
#include <vector>

#include "actors/services.hpp"

namespace slipstream {

/// What the stand-in of a placed replica needs: a sampler's ledger and sinks, or, of a scorer, reference or
/// critic, who shares groups out among the replicas.
struct stand_in_setup {
  std::string label, node;
  run_services services;
  caf::actor nodes;           ///< who places it again after it has failed
  std::int64_t restarts = 3;  ///< how often
  ledger_actor ledger{};
  weights_actor weights{};  ///< that the sampler follows; null: it follows none, or gets them late
  std::vector<rollout_sink> sinks{};
  spread_actor spread{};
  std::int64_t replica = 0;
};

/// Stands in the run's process for an actor on a node: all that goes to it and comes from it goes through
/// here, in the order in which it was sent. So a journal record is with the journal before what follows from
/// it is with anybody, as it is in one process. It knows what the actor holds: when that is lost, it gives it
/// back, with the tokens that the journal has of it.
caf::actor spawn_stand_in(caf::actor_system &system, const stand_in_setup &setup);

}  // namespace slipstream
