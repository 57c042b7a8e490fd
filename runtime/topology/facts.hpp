#pragma once

#include <any>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <typeinfo>
#include <vector>

namespace slipstream {

/// The role of an actor in the flow of data. It follows from the ports of the kind, so a kind that a program
/// adds has a role by what it takes and gives, not by its name.
enum class actor_role {
  other,
  loader,     ///< gives examples
  sampler,    ///< makes rollouts of examples
  scorer,     ///< scores rollouts
  reference,  ///< gives log-probabilities of rollouts
  critic,     ///< gives values of rollouts
  joiner,     ///< makes samples of a group's figures
  learner,    ///< learns from samples or examples
};

/// The training data that a learner makes of a line when there is no sampler.
enum class example_form {
  demonstration,
  pair,
  rated,
  labelled,  ///< rated 1 (good) or 0 (bad)
  ranking,   ///< several answers from the best to the worst
};

/// Facts about an actor that others may need, whatever its kind. They are set when its keys are read.
struct actor_facts {
  actor_role role = actor_role::other;  ///< follows from the ports of the kind
  bool placeable = false;               ///< may run on a node
  std::string model;                    ///< the model that it trains or computes with; empty: none
  bool follows = false;                 ///< it takes the versions of the learner of `model`, if there is one
  std::int64_t threads = 1;             ///< of each replica or rank
  std::int64_t replicas = 1;            ///< of a learner 1: its ranks are one actor
  std::int64_t ranks = 1;               ///< of a learner
  // Of a sampler.
  std::int64_t group = 1;  ///< answers to a prompt
  std::int64_t max_new_tokens = 0;
  double temperature = 1.0;
  bool rounds_weights = false;  ///< it samples from weights of fewer bits than the learner's
  // Of scorers, references and critics.
  bool compares_answers = false;   ///< with the line's own
  std::int64_t refresh_every = 0;  ///< versions after which a reference takes the policy's weights; 0: never
  std::string teaches;  ///< the lines that a reference answers to, by their field `teacher`; empty: all
  // Of actors that make samples.
  bool drops_equal_rewards = false;  ///< groups whose answers are rated alike leave the path
  std::string drops_by;              ///< the key that says so; empty: the kind itself
  // Of a learner.
  std::string reference;  ///< the frozen model that the learner evaluates itself; empty: none
  example_form lines = example_form::demonstration;
  bool compares_preferences = false;  ///< of pairs or labels, by log-probabilities instead of a score head
  bool learns_ties = false;           ///< its loss has a place for pairs of which neither is better
  // Files that it reads.
  std::vector<std::string> datasets;  ///< names and patterns
  std::string chat;                   ///< a file of its chat template; empty: none
};

/// The keys of an actor, in the struct of its kind. They are read once and then accessed by type.
class actor_keys {
 public:
  template <class Keys>
  void set(Keys keys) {
    value_ = std::move(keys);
  }
  /// Throws std::logic_error when the kind reads another struct, or nothing has been read.
  template <class Keys>
  const Keys &get() const {
    const auto *keys = std::any_cast<Keys>(&value_);
    if (!keys)
      throw std::logic_error(std::string("an actor's keys are not of the type ") + typeid(Keys).name());
    return *keys;
  }

 private:
  std::any value_;
};

}  // namespace slipstream
