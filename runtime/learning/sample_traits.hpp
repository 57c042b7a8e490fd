#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "models/objectives/rows.hpp"
#include "runtime/learning/batch_transform.hpp"

namespace slipstream {

/// What a learner has to know of the samples that an actor gives, whichever algorithm it stands for.
struct sample_traits {
  bool advantages = false;  ///< they have some, or what the learner makes them of
  bool returns = false;     ///< that a critic learns
  bool pairs = false;       ///< of a better and a worse answer
  bool keep_zero = false;   ///< those without advantage go through the model all the same
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
