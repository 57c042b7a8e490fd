#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>

#include "runtime/topology/document.hpp"

namespace slipstream {

/// Where the parts of a run's folder stand.
struct run_paths {
  explicit run_paths(const std::filesystem::path &run_folder);

  std::filesystem::path folder, topology, metrics, journal, checkpoints, log, summary, trace, lock;

  struct learner_files {
    std::filesystem::path metrics, checkpoints;
  };
  /// Of a learner beside the main one: metrics.NAME.jsonl and checkpoints/NAME; of the main one with "".
  learner_files of(const std::string &learner) const;
};

/// Tests, without making anything, that a run could begin in `folder`. Throws input_error naming the mend
/// when the folder holds a run already, when a live process writes it, or when it cannot be written.
/// `resume`: a run that did not finish may stand there.
void check_run_folder(const std::filesystem::path &folder, bool resume = false);

/// Whether a run has ended in the folder, its summary written and its status "finished".
bool holds_finished_run(const std::filesystem::path &folder);

/// Knows a run's folder again by its lock file, in case somebody removes it or puts another in its place.
class folder_mark {
 public:
  explicit folder_mark(const run_paths &paths);
  bool still_there() const;
  /// Throws run_error that says so when it is not.
  void require_there() const;

 private:
  std::filesystem::path folder_, lock_;
  std::pair<std::uintmax_t, std::uintmax_t> file_;  ///< device and number of the lock file
};

/// A run's folder while the run writes it. The lock is the kernel's (flock): it ends with the process,
/// however that ends; the lock file holds the process id for people to read.
class run_folder {
 public:
  /// Makes the folder and its subfolders and takes the lock. Throws as check_run_folder.
  explicit run_folder(const std::filesystem::path &folder, bool resume = false);
  ~run_folder();
  run_folder(const run_folder &) = delete;
  run_folder &operator=(const run_folder &) = delete;

  const run_paths &paths() const { return paths_; }

 private:
  run_paths paths_;
  int lock_ = -1;
};

/// Folder of the checkpoint that a model comes from: "run:NAME" is the last one of the run `runs`/NAME,
/// anything else a folder (or a GGUF file) as it stands. Throws input_error (at `at` where it names a file)
/// naming what was looked for and the mend.
std::filesystem::path resolve_model(const std::string &from, const std::filesystem::path &runs,
                                    const source_position &at = {});

}  // namespace slipstream
