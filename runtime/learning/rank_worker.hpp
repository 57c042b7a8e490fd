#pragma once

#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>

#include "runtime/learning/rank_tasks.hpp"
#include "runtime/learning/rank_trainer.hpp"

namespace slipstream {

/// One follower of a learner's ranks, on whatever thread calls perform(): a rank_trainer and its place
/// among the ranks.
class rank_worker {
 public:
  /// `options`: those of rank 0, with its `replicas`. `device`: where this rank computes.
  rank_worker(trainer_options options, std::shared_ptr<const transformer> initial, std::int64_t rank,
              std::string device, std::shared_ptr<meeting_point> where);

  /// What broke the task, or null. A broken rank leaves the others, so that nobody waits for it.
  std::exception_ptr perform(const rank_task &task);
  /// Breaks off, from another thread: whoever waits for this rank hears of it, and so does perform().
  void leave();
  /// Tokens of all ranks' batches so far.
  std::int64_t tokens() const { return core_ ? core_->tokens() : 0; }

 private:
  void meet();
  void follow(const rank_task &task);

  trainer_options options_;
  std::shared_ptr<const transformer> initial_;
  std::int64_t rank_;
  std::string device_;
  std::shared_ptr<meeting_point> where_;
  std::mutex mutex_;  ///< of the two below
  std::shared_ptr<process_group> ranks_;
  bool left_ = false;
  std::unique_ptr<rank_trainer> core_;
};

}  // namespace slipstream
