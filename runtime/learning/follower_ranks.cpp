#include "runtime/learning/follower_ranks.hpp"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "models/network/place.hpp"

namespace slipstream {
namespace {

using task = std::function<void(trainer &)>;

process_group_options group_options(const trainer_options &leader, const transformer &initial,
                                    std::int64_t rank) {
  return {rank, leader.replicas, rank_device(initial.trainable().device().str(), rank), leader.patience};
}

std::exception_ptr caught(const std::function<void()> &act) {
  try {
    act();
    return nullptr;
  } catch (...) {
    return std::current_exception();
  }
}

bool is_for_want_of_another(const std::exception_ptr &problem) {
  try {
    std::rethrow_exception(problem);
  } catch (const rank_lost &) {
    return true;
  } catch (...) {
    return false;
  }
}

}  // namespace

/// What a follower's thread and its leader share; it outlives both.
struct follower_ranks::lane {
  std::mutex mutex;
  std::condition_variable changed;
  task work;
  bool busy = true;  ///< from the beginning until it has met the others
  bool ending = false, ended = false;
  std::exception_ptr problem;
  std::thread thread;

  /// Waits for something to do; nothing when it is to end.
  std::optional<task> next() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return ending || work; });
    if (ending) return {};
    return std::exchange(work, nullptr);
  }
  void finish(std::exception_ptr thrown) {
    const std::lock_guard lock(mutex);
    busy = false;
    problem = std::move(thrown);
    changed.notify_all();
  }
  void end() {
    const std::lock_guard lock(mutex);
    ended = true;
    changed.notify_all();
  }
  /// Whether it became so in time.
  bool wait_until(bool lane::*flag, bool value, std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex);
    return changed.wait_for(lock, patience, [&] { return this->*flag == value; });
  }
};

namespace {

/// A follower's life: it meets the others, then does what it is told.
template <class Lane>
void follow(Lane &self, const std::shared_ptr<meeting_point> &where, trainer_options options,
            const transformer &initial, std::int64_t rank) {
  at::set_num_threads(static_cast<int>(options.threads));  // they are per thread
  std::unique_ptr<trainer> core;
  const auto meet = [&] {
    const auto how = group_options(options, initial, rank);
    options.group = join_group(where, how);
    const auto mine = place(std::make_shared<const transformer>(initial), how.device, initial.mode());
    if (options.reference) options.reference = place(options.reference, how.device, initial.mode());
    core = std::make_unique<trainer>(options, *mine);
  };
  self.finish(caught(meet));
  while (const auto work = self.next()) {
    const auto problem = caught([&] { (*work)(*core); });
    if (problem && options.group) options.group->leave();
    self.finish(problem);
  }
}

}  // namespace

follower_ranks::follower_ranks(const trainer_options &leader, const transformer &initial)
    : patience_(leader.patience) {
  const auto where = meet_here();
  for (std::int64_t rank = 1; rank < leader.replicas; ++rank) {
    const auto self = lanes_.emplace_back(std::make_shared<lane>());
    self->thread = std::thread([self, where, leader, initial, rank] {
      follow(*self, where, leader, initial, rank);
      self->end();
    });
  }
  try {
    join(caught([&] { group_ = join_group(where, group_options(leader, initial, 0)); }));
  } catch (...) {
    end();
    throw;
  }
}

follower_ranks::~follower_ranks() {
  end();
}

void follower_ranks::end() {
  for (const auto &self : lanes_) {
    const std::lock_guard lock(self->mutex);
    self->ending = true;
    self->changed.notify_all();
  }
  for (const auto &self : lanes_)
    if (self->wait_until(&lane::ended, true, 2 * patience_))
      self->thread.join();
    else
      self->thread.detach();  // it hangs; what it uses it shares
}

void follower_ranks::start(const task &act) {
  for (const auto &self : lanes_) {
    const std::lock_guard lock(self->mutex);
    self->work = act;
    self->busy = true;
    self->changed.notify_all();
  }
}

/// A collective ends within the patience; so a rank that has not come back after twice of it never will.
void follower_ranks::join(std::exception_ptr own) {
  std::vector<std::exception_ptr> problems{std::move(own)};
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    auto &self = *lanes_[i];
    if (self.wait_until(&lane::busy, false, 2 * patience_)) {
      problems.push_back(std::exchange(self.problem, nullptr));
    } else {
      problems.push_back(std::make_exception_ptr(
          rank_lost(fmt::format("rank {} of {} hangs: it has not come back for {} s", i + 1,
                                lanes_.size() + 1, 2 * patience_.count() / 1000))));
    }
  }
  for (const auto &problem : problems)
    if (problem && !is_for_want_of_another(problem)) std::rethrow_exception(problem);
  for (const auto &problem : problems)
    if (problem) std::rethrow_exception(problem);
}

void follower_ranks::together(trainer &self, const task &act) {
  start(act);
  const auto own = caught([&] { act(self); });
  if (own) group_->leave();
  join(own);
}

}  // namespace slipstream
