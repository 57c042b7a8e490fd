#pragma once

#include "runtime/kinds/learner_keys.hpp"

namespace slipstream {

/// Reads the learner's keys of off-policy correction and of the KL coefficient into `keys`. The objective and
/// the loss must have been read before. Throws input_error for keys that contradict each other.
void read_corrections(settings &s, learner_keys &keys);

}  // namespace slipstream
