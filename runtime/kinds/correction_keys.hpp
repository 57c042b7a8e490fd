#pragma once

#include "runtime/kinds/learner_keys.hpp"

namespace slipstream {

/// Reads the learner's keys about samples of older weights and about the KL coefficient into `keys`,
/// whose objective and loss were read before. Throws input_error for those that do not go together.
void read_corrections(settings &s, learner_keys &keys);

}  // namespace slipstream
