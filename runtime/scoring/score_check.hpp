#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "runtime/types.hpp"

namespace slipstream {

/// What a scorer, a reference or a critic gave is one figure for each answer, or for each token of it, and
/// every figure is a number that float32 holds. Throws run_error that names who gave it and to what prompt.
void check_scores(const group_scores &given);
void check_token_figures(const std::vector<std::vector<float>> &figures, const rollout_group &group,
                         const std::string &who);

/// The rewards that a group's scores make (one an answer) are numbers that float32 holds. Throws run_error
/// that names the scores which do not add up.
void check_rewards(const std::vector<double> &rewards, const rollout_group &group,
                   const std::map<std::string, std::vector<double>> &scores);

}  // namespace slipstream
