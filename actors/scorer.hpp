#pragma once

#include <caf/fwd.hpp>

#include <memory>
#include <string>
#include <vector>

#include "actors/compute.hpp"
#include "models/network/transformer.hpp"
#include "runtime/scoring/text_scores.hpp"

namespace slipstream {

/// Scores every rollout of a group by a rule. With `detached` it has a thread of its own, because a rule may
/// block. While the rule runs, an entry of `waits` names the prompt.
scorer_actor spawn_text_scorer(caf::actor_system &system, bool detached, const std::string &name,
                               group_rule rule, std::vector<score_sink> sinks,
                               std::shared_ptr<wait_table> waits);

struct model_scorer_setup {
  compute_share share;
  std::string name{};  ///< of the actor in the topology, whichever replica of it this is
  std::shared_ptr<const transformer>
      model;                 ///< on its device; of a model that moves: null until it is heard of
  double temperature = 1.0;  ///< of the reference's distribution
  std::vector<score_sink> score_sinks;
  std::vector<logprob_sink> logprob_sinks;
  std::vector<value_sink> value_sinks;
  weights_actor weights;  ///< of a model that moves: where its versions come from
  std::string model_name;
  /// Whether the model's learner trains in step with the policy's. Then the version that scores a group is at
  /// least as new as the one that generated the group's oldest token; otherwise it is at least as new as the
  /// group's `model_versions` say. The group waits here until such a version arrives.
  bool in_step = true;
  std::int64_t refresh_every = 0;  ///< of a reference that follows the policy: versions between its changes
  std::int64_t version = -1;       ///< of `model`, where it is refreshed
  std::string device = "cpu";
  numerics mode = numerics::fast;
};

/// Scores every rollout of a group with a reward model's head. One group is one forward pass, so that a
/// group's figures do not depend on what else waits.
caf::strong_actor_ptr spawn_reward_scorer(caf::actor_system &system, bool detached,
                                          const model_scorer_setup &setup);

/// A critic's values before every token of a group's answers; one group is one forward pass.
caf::strong_actor_ptr spawn_critic(caf::actor_system &system, bool detached, const model_scorer_setup &setup);

/// Log-probabilities of every rollout under a model that is fixed or follows the policy in steps; one group
/// is one forward pass.
caf::strong_actor_ptr spawn_reference(caf::actor_system &system, bool detached,
                                      const model_scorer_setup &setup);

/// Passes on to `scorer` only the groups of lines whose `teacher` is this one.
rollout_sink spawn_line_filter(caf::actor_system &system, const std::string &teacher,
                               const rollout_sink &scorer);

}  // namespace slipstream
