#pragma once

#include <caf/actor.hpp>
#include <caf/fwd.hpp>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "actors/services.hpp"

namespace slipstream {

/// The parts of a run, handed to the supervisor once they are spawned.
struct supervised_run {
  std::vector<std::pair<std::string, caf::strong_actor_ptr>> actors;  ///< producers last
  std::set<std::string> expected;                                     ///< who must be done before the run is
  std::string learner_name;
  learner_actor learner;  ///< the main one
  /// The others by name, and whether they end with the main one instead of after their own last update.
  std::map<std::string, std::pair<learner_actor, bool>> other_learners{};
  ledger_actor ledger;
  run_services services;
  std::int64_t stall_seconds = 300;  ///< without any progress: the watchdog acts
  caf::actor nodes{};                ///< who starts nodes again that hold work then; null: the run ends
};

/// Watches every actor of a run. It ends the run when all expected actors are done, when it is told to stop
/// (the learner finishes its batch and writes a checkpoint), when an actor dies, or when nothing moves for
/// too long. In the last case it says who waits for whom, and first has nodes started again. Answers wait
/// with {"status": "finished" | "stopped" | "failed", "error", "exit_code", "reports": {actor: figures},
/// "ledger": {…}, "record": {…}}.
supervisor_actor spawn_supervisor(caf::actor_system &system, bool detached);

}  // namespace slipstream
