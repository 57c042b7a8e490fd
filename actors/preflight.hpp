#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "actors/registry.hpp"
#include "runtime/learning/model_store.hpp"
#include "runtime/schedule/contract.hpp"
#include "runtime/schedule/dials.hpp"
#include "runtime/schedule/order_buffer.hpp"
#include "runtime/schedule/path_book.hpp"
#include "runtime/topology/topology.hpp"

namespace slipstream {

/// A topology made ready to spawn: kinds found, keys read, edges checked; with verify(), files and models
/// too.
class preflight {
 public:
  /// Checks all that needs no file but the topology. `here`: the node whose process this is; empty: the run's
  /// own. Throws input_error.
  preflight(topology graph, const registry &kinds, const std::string &here = "");
  preflight(const preflight &) = delete;
  preflight &operator=(const preflight &) = delete;

  /// Makes missing data, then lets every actor look at its files, models and neighbours. Throws input_error.
  void verify();
  /// Whether a model comes from a run among `earlier` that has no checkpoint yet: verify() must wait for it.
  bool waits_for(const std::set<std::string> &earlier) const;

  /// Something that the user should read once before the run; said twice, it is noted once.
  void note(const std::string &text);
  const std::vector<std::string> &notes() const { return notes_; }

  /// The date that chat templates write: the topology's, else that of the run's begin, which is fixed from
  /// here on.
  const std::string &date();

  const topology &graph() const { return graph_; }
  model_store &models() { return models_; }
  const std::vector<node_plan> &plans() const { return plans_; }  ///< in the order of graph().actors
  std::vector<std::size_t> spawn_order() const;                   ///< consumers first

  /// The main learner, whose updates the run counts: the one whose model is sampled from, else the only one.
  const actor_config &learner() const;
  std::vector<const actor_config *> learners() const;  ///< the main one first
  /// Each learner with its path, the actor that gives it samples; in the same order.
  std::vector<learner_place> learner_places() const;
  /// Whether `learner` trains on the same batches as the main one, in step with it.
  bool in_step(const actor_config &learner) const;
  /// Who trains `model`, or null.
  const actor_config *learner_of(const std::string &model) const;
  const actor_config &loader() const;  ///< whose lines the ledger keeps the books of
  /// The loader that a learner takes demonstrations from beside its samples, or null.
  const actor_config *demonstrations(const actor_config &learner) const;
  std::string learned_model() const;  ///< the main learner's
  /// The actors that take from `name`.
  std::vector<const actor_config *> takers(const std::string &name) const;
  /// The actors that `actor` takes from.
  std::vector<const actor_config *> givers(const actor_config &actor) const;
  /// The nearest actor of `kind` upstream of `actor`, or null.
  const actor_config *upstream(const actor_config &actor, const std::string &kind) const;
  /// Rollouts a drawn example becomes: the sampler's group, or 1.
  std::int64_t group() const;
  /// Rollouts of a model that the learner moves age; whether there are any.
  bool samples_own_policy() const;
  /// Groups a batch.
  std::int64_t places() const { return std::max<std::int64_t>(graph_.schedule.batch / group(), 1); }
  /// [schedule] with its window in groups, the order it names, and what follows from both.
  const schedule_rules &rules() const { return rules_; }
  const order_row &order() const { return order_; }
  const staleness_contract &contract() const { return contract_; }
  /// Whether a resume goes on with answers under way. Where nothing runs ahead it has to reach the bits of an
  /// undisturbed run instead, so they are sampled anew by the weights of their batch alone.
  bool keeps_partial() const { return graph_.schedule.max_staleness > 0 || contract_.lead.most > 0; }
  /// The numbers of the schedule that may change over the run: lead, window, publish_every.
  conductor dials() const;
  order_buffer buffer() const;       ///< of the main learner's path
  order_buffer side_buffer() const;  ///< of another one: in the order of the draws
  /// The promise (versions), or none where nothing ages or nothing is promised.
  std::optional<std::int64_t> staleness_bound() const;
  /// How old, in its own versions, another learned model's figures may be when the main learner trains on
  /// them; by model, for those whose figures reach it; none where nothing is promised.
  std::map<std::string, std::optional<std::int64_t>> model_bounds() const;
  /// Rollouts in flight at most.
  std::int64_t in_flight_bound() const;

 private:
  bool feeds(const actor_config &giver, const actor_config &taker) const;
  void check_capacity() const;

  topology graph_;
  const actor_config *main_ = nullptr;
  const actor_config *loader_ = nullptr;
  model_store models_;
  std::vector<node_plan> plans_;
  schedule_rules rules_;
  order_row order_;
  staleness_contract contract_;
  std::vector<std::string> notes_;
};

/// A key of an actor as text or number, as far as it stands in its table (defaults included once read).
std::string text_key(const actor_config &actor, const std::string &key);
bool flag_key(const actor_config &actor, const std::string &key, bool otherwise);
double number_key(const actor_config &actor, const std::string &key, double otherwise);

/// Cores that a run computes on: [run] threads, or all of this machine.
std::int64_t run_cores(const topology &graph);

/// The learner whose versions an actor computes with, or null: of samplers, critics and reward models.
const actor_config *followed_learner(const preflight &plan, const actor_config &actor);

/// What is known of the samples that `giver` gives to learners.
sample_traits samples_of(const preflight &plan, const actor_config &giver);

/// Describes the model that the actor's key `model` names; input_error at the key when it cannot be had.
const model_description &described_model(preflight &checks, const actor_config &actor);

}  // namespace slipstream
