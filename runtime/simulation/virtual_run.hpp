#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "runtime/simulation/schedule_model.hpp"

namespace slipstream {

/// How long things take, in seconds of virtual time; times of 0 are as good as any.
struct virtual_costs {
  double generate = 1;         ///< a group, at the median
  double spread = 0.5;         ///< 1 / exponent of the Pareto tail of generation; 0: all take the median
  double straggler_share = 0;  ///< of the groups that take `straggler_factor` times as long
  double straggler_factor = 1;
  double score = 0.05;
  double train = 1;       ///< a batch
  double transfer = 0.1;  ///< weights to a sampler, on the average
  double load = 0.01;
  double mail = 0.001;  ///< a message between ledger and buffer, on the average
  double lifetime = 0;  ///< of a sampler, on the average; 0: none dies
  double reject = 0;    ///< probability that a scorer drops a group
  double guard = 0;     ///< probability that an update trips a guard
};

/// What a virtual run came to.
struct virtual_report {
  bool finished = false;  ///< all versions were made; false: it came to stand, or `most_events` were over
  std::int64_t events = 0;
  double seconds = 0;
  std::int64_t oldest = 0;        ///< largest age trained on, in versions
  std::int64_t oldest_steps = 0;  ///< in optimizer steps
  std::int64_t longest_wait = 0;  ///< versions between a group's draw and its training
  std::int64_t short_batches = 0;
  std::int64_t changes = 0;  ///< of the schedule's numbers
  ledger_totals totals;
  std::string stuck;  ///< the state in which nothing could move
};

/// Runs a schedule in virtual time: the model, an event queue, and times by chance. Deterministic by `seed`.
/// The numbers of the schedule change as in a run, by random figures. Throws run_error when a class of the
/// schedule does.
virtual_report run_virtually(const model_setup &setup, const virtual_costs &costs, std::uint64_t seed,
                             std::int64_t most_events = 1000000);

}  // namespace slipstream
