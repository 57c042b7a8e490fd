#pragma once

#include <caf/fwd.hpp>

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "actors/interfaces.hpp"
#include "runtime/plumbing/progress.hpp"

namespace slipstream {

struct recorder_setup {
  std::filesystem::path metrics;  ///< metrics.jsonl: one line an update
  std::filesystem::path trace;    ///< trace.json: spans, in the trace event format of Chromium and Perfetto
  progress_options progress;
  supervisor_actor supervisor;                             ///< told when something moves; may be empty
  bool resume = false;                                     ///< metrics go on behind what is there
  std::map<std::string, std::filesystem::path> further{};  ///< metrics of the learners beside the main one
  bool old_names = false;  ///< an earlier release began the run: metrics keep the names that they had
};

/// Writes what happens: metrics, spans, and the progress line. Answers flush with the run's totals: seconds,
/// tokens by actor, and the share of the time that each actor computed.
recorder_actor spawn_recorder(caf::actor_system &system, bool detached, const recorder_setup &setup);

}  // namespace slipstream
