#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "runtime/plumbing/child_process.hpp"

namespace slipstream {

/// What a pool tells of its programs, by their places in its list.
struct pool_observer {
  std::function<void(std::size_t)> started;
  std::function<void(std::size_t, int exit_code)> ended;
  std::function<void(const std::vector<std::size_t> &running)> beat;  ///< about twice a second
};

/// Blocks Ctrl-C (SIGINT, SIGTERM) and the news of ended children for this thread and those that it starts,
/// so that a pool can wait for them; made before anything that starts threads.
class blocked_signals {
 public:
  blocked_signals();
  ~blocked_signals();
  blocked_signals(const blocked_signals &) = delete;
  blocked_signals &operator=(const blocked_signals &) = delete;

  /// Waits up to half a second for one; its number, or 0.
  int wait() const;

 private:
  struct set;
  set *set_;
};

/// Runs programs, at most `at_once` at the same time, in their order. On Ctrl-C nothing more begins and those
/// that run are sent SIGINT, a second time SIGTERM; all are waited for. False when interrupted.
bool run_pool(const blocked_signals &signals, const std::vector<child_program> &programs,
              std::int64_t at_once, const pool_observer &observer);

}  // namespace slipstream
