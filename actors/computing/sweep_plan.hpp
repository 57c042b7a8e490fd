#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "actors/commands/arguments.hpp"
#include "runtime/laboratory/grid.hpp"

namespace slipstream {

/// One sweep at a time writes a folder; the lock ends with the process.
class sweep_lock {
 public:
  sweep_lock() = default;
  ~sweep_lock();
  sweep_lock(const sweep_lock &) = delete;
  sweep_lock &operator=(const sweep_lock &) = delete;

  /// Makes the folder where it is missing. Throws input_error when another sweep has it.
  void take(const std::filesystem::path &folder);
  bool taken() const { return descriptor_ >= 0; }

 private:
  int descriptor_ = -1;
};

/// A run of the sweep, ready to start.
struct planned_run {
  sweep_run run;
  std::vector<std::string> overrides;
  std::filesystem::path folder;
  std::int64_t updates = 0, max_staleness = 0;
};

struct planned_sweep {
  std::filesystem::path folder;
  std::int64_t jobs = 1;
  std::vector<sweep_arm> arms;
  std::vector<planned_run> runs;
};

/// Reads the grid and checks every run's topology before any begins: its keys, that a run begun earlier had
/// the same ones, and for one run an arm files and models too. Then takes the lock. Throws input_error.
planned_sweep plan_sweep(const sweep_arguments &arguments, sweep_lock &lock);

}  // namespace slipstream
