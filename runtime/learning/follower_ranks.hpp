#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <vector>

#include "runtime/learning/rank_tasks.hpp"
#include "runtime/learning/trainer_options.hpp"

namespace slipstream {

/// The ranks 1 … N-1 of a learner, each a trainer on a thread of its own or in another process, for the one
/// that leads them. A rank that breaks leaves the others, so that nobody waits for it.
class follower_ranks {
 public:
  /// Comes back when all ranks have met. `leader`: the options of rank 0.
  follower_ranks(const trainer_options &leader, const transformer &initial);
  ~follower_ranks();
  follower_ranks(const follower_ranks &) = delete;
  follower_ranks &operator=(const follower_ranks &) = delete;

  /// Rank 0's.
  const std::shared_ptr<process_group> &ranks() const { return ranks_; }

  /// Every follower does `task` while the leader does its own part, `own`. Throws what broke the first rank
  /// that broke of its own (not for want of another one); rank_lost when a rank hangs.
  void together(const rank_task &task, const std::function<void()> &own);

 private:
  void start(const rank_task &task);
  void join(std::exception_ptr own);
  void end();

  std::chrono::milliseconds patience_;
  std::shared_ptr<process_group> ranks_;
  std::vector<std::shared_ptr<rank_lane>> lanes_;
};

}  // namespace slipstream
