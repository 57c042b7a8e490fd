#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "actors/preflight.hpp"
#include "runtime/run_folder/run_folder.hpp"

namespace slipstream {

/// What an evaluator found, one line a version: durable, so that the history survives a kill.
std::filesystem::path evaluations_file(const run_paths &paths, const std::string &evaluator);

/// Turns the causes of dropped groups into the words that an earlier release wrote, with which the run began.
void keep_old_causes(nlohmann::json &summary);

/// summary.json from what the supervisor collected; the figures that everybody reads first stand at the top.
nlohmann::json summarise(const preflight &plan, const run_paths &paths, const nlohmann::json &result);

/// Writes the summary. A run whose summary cannot be written has failed; why it failed before is not
/// forgotten.
void keep_summary(const std::filesystem::path &file, nlohmann::json &summary);

}  // namespace slipstream
