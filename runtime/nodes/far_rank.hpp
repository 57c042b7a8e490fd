#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "runtime/nodes/rank_frames.hpp"

namespace slipstream {

/// A follower in another process, as its leader sees it. Whoever has the link to it calls ready(), done() and
/// gone(); the leader's thread waits.
class far_rank : public rank_lane {
 public:
  /// `send` takes a message's bytes to the rank, from any thread.
  far_rank(std::string name, std::function<void(std::string)> send);

  std::string name() const override { return name_; }
  void start(const rank_task_ptr &task) override;
  std::exception_ptr finish(std::chrono::milliseconds patience) override;
  void end(std::chrono::milliseconds) override {}  // its node ends it when the run has ended

  /// Waits for at most `patience`, and returns whether the rank has its weights. Throws what is wrong with
  /// the rank.
  bool wait_until_ready(std::chrono::milliseconds patience);

  void ready();
  void done(const rank_done &how);
  /// Says that the rank is gone for good. Whoever waits for it, now or later, gets `why`.
  void gone(std::exception_ptr why);

 private:
  std::string name_;
  std::function<void(std::string)> send_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ready_ = false, busy_ = false;
  std::exception_ptr problem_, gone_;
};

}  // namespace slipstream
