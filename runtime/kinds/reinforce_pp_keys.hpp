#pragma once

#include "runtime/kinds/joiner_keys.hpp"
#include "runtime/learning/reinforce_pp.hpp"

namespace slipstream {

/// The keys of advantage.reinforce_pp.
struct reinforce_pp_keys {
  reinforce_pp_options options;
  scorer_weights weights;
};

kind_row reinforce_pp_row();

}  // namespace slipstream
