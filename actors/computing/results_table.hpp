#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace slipstream {

/// The summaries of a command's stages.
using stage_results = std::vector<nlohmann::json>;

/// One row a stage: updates, greedy and sampled accuracy (or a reward model's pair accuracy), reward, KL,
/// staleness, busy shares, tokens a second, seconds. Figures that a stage does not have are "-".
std::string results_table(const stage_results &results);

}  // namespace slipstream
