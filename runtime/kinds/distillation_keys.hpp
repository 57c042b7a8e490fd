#pragma once

#include "runtime/kinds/joiner_keys.hpp"

namespace slipstream {

/// The keys of advantage.on_policy_distillation.
struct distillation_keys {
  double coefficient = 1;
  double clip = 2;
};

kind_row distillation_row();

}  // namespace slipstream
