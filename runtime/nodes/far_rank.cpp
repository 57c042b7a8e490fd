#include "runtime/nodes/far_rank.hpp"

#include <fmt/format.h>

#include <utility>

#include "runtime/nodes/frames.hpp"
#include "runtime/parallel/process_group.hpp"

namespace slipstream {

far_rank::far_rank(std::string name, std::function<void(std::string)> send)
    : name_(std::move(name)), send_(std::move(send)) {}

void far_rank::start(const rank_task_ptr &task) {
  auto bytes = encode_rank_message(*task);
  if (bytes.size() >= longest_frame)
    throw run_error(fmt::format(
        "a batch of {} MB cannot be sent to {}: {} MB is the most; lower [schedule] batch, or sft_batch",
        bytes.size() >> 20, name_, longest_frame >> 20));
  {
    const std::lock_guard lock(mutex_);
    busy_ = true;
    problem_ = nullptr;
  }
  send_(std::move(bytes));
}

std::exception_ptr far_rank::finish(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, patience, [&] { return gone_ || !busy_; }))
    throw rank_lost(fmt::format("hangs: it has not come back for {} s", patience.count() / 1000));
  return gone_ ? gone_ : std::exchange(problem_, nullptr);
}

bool far_rank::wait_until_ready(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, patience, [&] { return gone_ || ready_; });
  if (gone_) std::rethrow_exception(gone_);
  return ready_;
}

void far_rank::ready() {
  const std::lock_guard lock(mutex_);
  ready_ = true;
  changed_.notify_all();
}

void far_rank::done(const rank_done &how) {
  const std::lock_guard lock(mutex_);
  if (!busy_) throw run_error("it speaks of a task that it has not");
  problem_ = problem_of(how, name_);
  busy_ = false;
  changed_.notify_all();
}

void far_rank::gone(std::exception_ptr why) {
  const std::lock_guard lock(mutex_);
  if (!gone_) gone_ = std::move(why);
  changed_.notify_all();
}

}  // namespace slipstream
