#pragma once

#include "runtime/learning/samples.hpp"

namespace slipstream {

struct reinforce_pp_options {
  double gamma = 1;
  /// Weight of the KL term in every token's reward: k1 against the reference, by the sampler's
  /// log-probabilities.
  double kl_in_reward = 0;
};

/// REINFORCE++ (arXiv:2501.03262): the reward comes with the last token; a token's advantage is the return to
/// go, which the learner whitens over the global batch.
sample_group reinforce_pp_samples(const joined_group &joined, const std::vector<double> &rewards,
                                  const reinforce_pp_options &options);

/// The group, or, where none of its tokens has an advantage, one that is dropped for "zero advantage".
sample_group refilled_if_even(sample_group group);

}  // namespace slipstream
