#pragma once

#include "models/objectives/options.hpp"

namespace slipstream {

struct vtrace_options {
  double gamma = 1;
  vtrace_bounds bounds;
  double kl_in_reward = 0;  ///< weight of the KL term (k1 against the reference, by the sampler's
                            ///< log-probabilities)
};

}  // namespace slipstream
