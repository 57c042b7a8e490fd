#pragma once

#include "runtime/learning/trainer.hpp"
#include "runtime/topology/settings.hpp"

namespace slipstream {

/// Reads the learner's keys about samples of older weights and about the KL coefficient into `training`,
/// whose objective and loss were read before. Throws input_error for those that do not go together.
void read_corrections(settings &s, trainer_options &training);

}  // namespace slipstream
