#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runtime/kinds/kind_row.hpp"
#include "runtime/schedule/path_book.hpp"

namespace slipstream {

/// A topology whose edges fit and whose keys have been read, with the role of each actor. The roles are found
/// once, from the ports of the kinds and from the keys.
class roles {
 public:
  /// Throws input_error.
  roles(topology graph, const kind_rows &kinds);
  roles(const roles &) = delete;
  roles &operator=(const roles &) = delete;

  const topology &graph() const { return graph_; }

  /// The main learner, whose updates the run counts: the one whose model is sampled from, else the only one.
  const actor_config &learner() const { return *learners_.front(); }
  const std::vector<const actor_config *> &learners() const { return learners_; }  ///< the main one first
  /// Each learner with its path, the actor that gives it samples; in the same order.
  std::vector<learner_path> learner_paths() const;
  /// Whether `learner` trains on the same batches as the main one, in step with it.
  bool in_step(const actor_config &learner) const;
  /// The learner that trains `model`, or null.
  const actor_config *learner_of(const std::string &model) const;
  std::string learned_model() const { return learner().facts.model; }  ///< the main learner's
  const actor_config &loader() const { return *loader_; }  ///< the loader whose draws the ledger books
  /// The loader that a learner takes demonstrations from beside its samples, or null.
  const actor_config *demonstrations(const actor_config &learner) const;

  /// The actors that take from `name`.
  std::vector<const actor_config *> takers(const std::string &name) const;
  /// The actors that `actor` takes from.
  std::vector<const actor_config *> givers(const actor_config &actor) const;
  /// The nearest actor of a role upstream of `actor`, or null.
  const actor_config *upstream(const actor_config &actor, actor_role role) const;
  /// Whether what `giver` gives reaches `taker`, perhaps through others.
  bool feeds(const actor_config &giver, const actor_config &taker) const;
  /// The order in which actors are spawned: consumers first. Indices into graph().actors.
  std::vector<std::size_t> spawn_order() const;

  /// The number of rollouts of a drawn line: the sampler's group, or 1 without a sampler.
  std::int64_t group() const;
  /// Whether a sampler draws from a model that a learner trains. Only then do rollouts age.
  bool samples_own_policy() const;

 protected:
  topology graph_;

 private:
  std::vector<const actor_config *> learners_;
  const actor_config *loader_ = nullptr;
};

/// The position of an actor's key in the file, or of the actor where the key is not given.
source_position position_of(const actor_config &actor, const std::string &key);

/// The learner whose versions a sampler, critic or reward model computes with, or null.
const actor_config *followed_learner(const roles &graph, const actor_config &actor);

}  // namespace slipstream
