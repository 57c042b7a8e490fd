#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "runtime/laboratory/run_story.hpp"

namespace slipstream {

/// One actor's stretches of computation, replicas together; nanoseconds.
struct actor_time {
  std::int64_t replicas = 1;
  std::int64_t busy = 0;
  std::int64_t queued = 0;  ///< it had work and waited for the run's cores
};

/// The work of a run up to some moment.
struct work_so_far {
  std::int64_t at_ns = 0;      ///< of the run's work, as run_clock counts it
  std::int64_t device_ns = 0;  ///< busy time; on the CPU times the actor's threads
  std::int64_t generated = 0;  ///< tokens that samplers decoded
};

/// What the spans of a run add up to; held-out evaluation is left out.
struct run_trace {
  std::map<std::string, actor_time> actors;  ///< by their names in the topology
  std::vector<work_so_far> work;             ///< in order of time
  bool counts_tokens = false;                ///< the spans say how many tokens they handled

  work_so_far until(std::int64_t at_ns) const;
  std::int64_t generated() const { return work.empty() ? 0 : work.back().generated; }
};

/// Reads trace-1.json, …, trace.json of a run's folder; spans that begin after `end_ns` (of the run's work)
/// count as work, but to no actor's time. Lines that a kill cut off are passed over.
run_trace read_run_trace(const std::filesystem::path &folder, const run_clock &clock, std::int64_t end_ns);

}  // namespace slipstream
