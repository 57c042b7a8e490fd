#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace slipstream {

enum class progress_style { none, plain, live };

struct progress_options {
  progress_style style = progress_style::none;
  std::string run;
  std::int64_t updates = 0;
};

/// What the progress line shows besides the newest metrics.
struct progress_state {
  std::int64_t update = 0;
  double seconds = 0;  ///< since the run's first span
  double tokens_per_second = 0;
  std::int64_t sampling = 0;  ///< rollouts waiting or running
  std::int64_t buffered = 0;  ///< rollouts finished or buffered
};

/// `live` on a terminal, otherwise `plain`.
progress_style detect_progress_style();

/// One line, without its end: run, update, loss, reward, KL, staleness, queues, tokens/s, time left. Metrics
/// that the learner did not report are left out.
std::string progress_line(const progress_options &options, const progress_state &state,
                          const nlohmann::json &metrics);

/// Writes the line to standard error. On a terminal it replaces the line before and is cut to the
/// terminal's width; elsewhere it is a new line at each tenth of the run.
void show_progress(const progress_options &options, const progress_state &state,
                   const nlohmann::json &metrics);
/// Ends a live line.
void end_progress(const progress_options &options);

}  // namespace slipstream
