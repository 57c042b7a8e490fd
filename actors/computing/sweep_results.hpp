#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "runtime/laboratory/grid.hpp"
#include "runtime/laboratory/run_pool.hpp"

namespace slipstream {

struct sweep_result_run {
  sweep_run run;
  std::filesystem::path folder, log;
  std::int64_t max_staleness = 0;
};

struct sweep_output {
  std::filesystem::path folder, topology;
  std::string command;
  bool json = false;
};

/// Reads the runs and writes table.md, results.json, plots/ and index.html; prints the table (or JSON). The
/// exit code: 1 when a run has not finished or cannot be read.
int write_sweep_results(const sweep_output &output, const std::vector<sweep_arm> &arms,
                        const std::vector<sweep_result_run> &runs, const blocked_signals &signals);

}  // namespace slipstream
