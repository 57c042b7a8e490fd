#include "runtime/learning/thread_rank.hpp"

#include <fmt/format.h>

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>

namespace slipstream {
namespace {

/// What the thread and its leader share; it outlives both.
struct shared_state {
  std::unique_ptr<rank_worker> worker;
  std::mutex mutex;
  std::condition_variable changed;
  rank_task_ptr work;
  bool busy = false, ending = false, ended = false;
  std::exception_ptr problem;

  /// Waits for something to do; null when it is to end.
  rank_task_ptr next() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return ending || work; });
    return ending ? nullptr : std::exchange(work, nullptr);
  }
  void set(const std::function<void()> &change) {
    const std::lock_guard lock(mutex);
    change();
    changed.notify_all();
  }
  bool wait_until(bool shared_state::*flag, bool value, std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, patience, [&] { return this->*flag == value; });
  }
};

void live(shared_state &self) {
  while (const auto task = self.next()) {
    const auto problem = self.worker->perform(*task);
    self.set([&] {
      self.busy = false;
      self.problem = problem;
    });
  }
  self.worker = nullptr;
  self.set([&] { self.ended = true; });
}

class thread_lane : public rank_lane {
 public:
  explicit thread_lane(std::unique_ptr<rank_worker> worker) : self_(std::make_shared<shared_state>()) {
    self_->worker = std::move(worker);
    thread_ = std::thread([self = self_] { live(*self); });
  }
  ~thread_lane() override {
    if (thread_.joinable()) thread_.detach();  // it was not ended
  }

  std::string name() const override { return {}; }
  void start(const rank_task_ptr &task) override {
    self_->set([&] {
      self_->work = task;
      self_->busy = true;
    });
  }
  std::exception_ptr finish(std::chrono::milliseconds patience) override {
    if (!self_->wait_until(&shared_state::busy, false, patience))
      throw rank_lost(fmt::format("hangs: it has not come back for {} s", patience.count() / 1000));
    return std::exchange(self_->problem, nullptr);
  }
  void end(std::chrono::milliseconds patience) override {
    self_->set([&] { self_->ending = true; });
    if (self_->wait_until(&shared_state::ended, true, patience))
      thread_.join();
    else
      thread_.detach();  // it hangs; what it uses it shares
  }

 private:
  std::shared_ptr<shared_state> self_;
  std::thread thread_;
};

}  // namespace

std::shared_ptr<rank_lane> thread_rank(std::unique_ptr<rank_worker> worker) {
  return std::make_shared<thread_lane>(std::move(worker));
}

}  // namespace slipstream
