#pragma once

#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "actors/compute.hpp"
#include "actors/preflight.hpp"
#include "actors/services.hpp"
#include "models/error.hpp"
#include "runtime/journal/resume.hpp"
#include "runtime/run_folder/run_folder.hpp"

namespace slipstream {

struct tunnel_options;

/// The user wanted the run to end before it had begun.
class interrupted_start : public run_error {
 public:
  using run_error::run_error;
};

/// What a kind's spawn function finds: the run's parts and its consumers.
struct spawn_context {
  caf::actor_system &system;
  preflight &plan;
  run_services services;
  weights_actor weights;  ///< of the main learner's model
  ledger_actor ledger;
  run_paths paths;
  std::map<std::string, snapshot_ptr> first{};  ///< each learned model's weights as the run begins or goes on
  std::map<std::string, weights_actor> all_weights{};      ///< by learned model
  const resume_point *resumed = nullptr;                   ///< where it goes on, if it does
  bool detached = true;                                    ///< compute actors get threads of their own
  std::map<std::string, caf::strong_actor_ptr> inboxes{};  ///< by actor name: who receives its inputs
  std::vector<std::pair<std::string, caf::strong_actor_ptr>>
      owned{};                       ///< all actors spawned, for the supervisor
  std::set<std::string> expected{};  ///< besides the learner, who must be done at the end
  std::map<std::string, learner_actor> learners{};
  std::map<std::string, buffer_actor> buffers{};  ///< by path
  caf::actor nodes{};                             ///< who places actors on nodes; null where none is placed
  std::string only{};              ///< on a node: the replica that it runs; empty in the run's process
  caf::strong_actor_ptr uplink{};  ///< on a node: who takes all that the replica gives
  std::shared_ptr<const tunnel_options>
      tunnel{};                         ///< on a node: how ranks are reached; null: this machine only
  std::function<bool()> interrupted{};  ///< asked while something is waited for; may be empty
  std::function<void(const std::string &)> say{};  ///< tells people what they should know; may be empty

  /// Puts an actor under the supervisor's care and gives back its handle.
  template <class Handle>
  caf::strong_actor_ptr own(const std::string &name, const Handle &handle) {
    owned.emplace_back(name, caf::actor_cast<caf::strong_actor_ptr>(handle));
    return owned.back().second;
  }

  /// The consumers of `name`, as the sinks they are. Edges were checked by their ports, so the cast is sound.
  template <class Sink>
  std::vector<Sink> sinks(const std::string &name) const {
    if (uplink) return {caf::actor_cast<Sink>(uplink)};
    std::vector<Sink> result;
    for (const auto *taker : plan.takers(name))
      if (const auto &inbox = inboxes.at(taker->name)) result.push_back(caf::actor_cast<Sink>(inbox));
    return result;
  }
  /// Whoever hands out the versions of `model`; null when nobody learns it.
  weights_actor weights_of(const std::string &model) const {
    const auto found = all_weights.find(model);
    return found == all_weights.end() ? weights_actor() : found->second;
  }
  compute_share share(const std::string &actor, std::int64_t threads) const {
    return {actor, threads, services};
  }
};

}  // namespace slipstream
