#pragma once

#include <string>
#include <vector>

#include "actors/registry.hpp"
#include "runtime/kinds/checked_topology.hpp"
#include "runtime/learning/model_store.hpp"

namespace slipstream {

/// A topology that is ready to spawn: each actor has a plan. The constructor checks all that needs no tensor;
/// verify() checks files and models, too.
class preflight : public checked_topology {
 public:
  /// Checks all that needs no file but the topology. `here`: the node whose process this is; empty: the run's
  /// own. Throws input_error.
  preflight(topology graph, const registry &kinds, const std::string &here = "");

  /// Makes missing data, then lets every actor look at its files, models and neighbours. Throws input_error.
  void verify();

  /// Adds a note for the user to read before the run. A note that is added twice is kept once.
  void note(const std::string &text);
  const std::vector<std::string> &notes() const { return notes_; }

  /// The date that chat templates write: the topology's, or else the moment at which the run began, which
  /// does not change from now on.
  const std::string &date();

  model_store &models() { return models_; }
  const std::vector<node_plan> &plans() const { return plans_; }  ///< in the order of graph().actors
  const node_plan &plan_of(const actor_config &actor) const;

 private:
  preflight(topology graph, const registry &kinds, const std::string &here, std::vector<node_plan> &&plans);

  model_store models_;
  std::vector<node_plan> plans_;
  std::vector<std::string> notes_;
};

/// Cores that a run computes on: [run] threads, or all of this machine.
std::int64_t run_cores(const topology &graph);

/// What is known of the samples that `giver` gives to learners.
sample_traits samples_of(const preflight &plan, const actor_config &giver);

/// Describes the model that the actor computes with; input_error at the key when it cannot be had.
const model_description &described_model(preflight &checks, const actor_config &actor);

}  // namespace slipstream
