#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "models/objectives/rows.hpp"
#include "runtime/learning/batch_transform.hpp"

namespace slipstream {

/// What a learner needs to know of the samples that an actor gives, whatever the algorithm.
struct sample_traits {
  bool advantages = false;  ///< the samples have advantages, or the figures from which the learner makes them
  bool returns = false;     ///< the samples have returns, which a critic learns
  bool pairs = false;       ///< the samples are pairs of a better and a worse answer
  bool keep_zero = false;   ///< samples with advantage 0 go through the model, too
  /// What has weighted the samples for older weights when the loss gets them, as the loss's row names it
  /// (`correction`), which goes on from there; empty: nothing.
  std::string_view corrected_by{};
  /// Their returns are of the policy as it is when they are trained on, so that a critic needs its every
  /// version.
  bool of_newest_policy = false;
  std::vector<batch_transform> transforms{};
  /// What the loss must know of how they were made; may be empty.
  std::function<void(objective_options &loss)> tell_loss{};
};

}  // namespace slipstream
