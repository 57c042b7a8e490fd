#include "runtime/learning/follower_ranks.hpp"

#include <fmt/format.h>

#include <utility>

#include "runtime/learning/thread_rank.hpp"

namespace slipstream {
namespace {

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

/// "rank 1 of 3 (learner-2 on node "a")"
std::string described(const rank_lane &lane, std::size_t rank, std::size_t ranks) {
  const auto name = lane.name();
  return fmt::format("rank {} of {}{}", rank, ranks, name.empty() ? "" : " (" + name + ")");
}

}  // namespace

follower_ranks::follower_ranks(const trainer_options &leader, const transformer &initial)
    : patience_(leader.patience) {
  const auto where = leader.meeting ? leader.meeting : meet_here();
  const auto first = leader.device.empty() ? initial.trainable().device().str() : leader.device;
  const auto shared = std::make_shared<const transformer>(initial);
  std::int64_t here = 1;  // ranks of this process, each on the device after the one before
  for (std::int64_t rank = 1; rank < leader.replicas; ++rank) {
    const auto elsewhere = leader.elsewhere.find(rank);
    lanes_.push_back(elsewhere != leader.elsewhere.end()
                         ? elsewhere->second
                         : thread_rank(std::make_unique<rank_worker>(leader, shared, rank,
                                                                     rank_device(first, here++), where)));
  }
  try {
    start(meet_task{});
    join(caught([&] {
      ranks_ = join_group(where, {0, leader.replicas, rank_device(first, 0), leader.patience, leader.tunnel});
    }));
  } catch (...) {
    end();
    throw;
  }
}

follower_ranks::~follower_ranks() {
  end();
}

void follower_ranks::end() {
  for (const auto &lane : lanes_) lane->end(2 * patience_);
}

void follower_ranks::start(const rank_task &task) {
  const auto shared = std::make_shared<const rank_task>(task);
  for (const auto &lane : lanes_) lane->start(shared);
}

/// A collective ends within the patience; so a rank that has not come back after twice of it never will.
void follower_ranks::join(std::exception_ptr own) {
  std::vector<std::exception_ptr> problems{std::move(own)}, hang;
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    auto &lane = *lanes_[i];
    try {
      problems.push_back(lane.finish(2 * patience_));
    } catch (const rank_lost &hangs) {
      hang.push_back(
          std::make_exception_ptr(rank_lost(described(lane, i + 1, lanes_.size() + 1) + " " + hangs.what())));
    }
  }
  for (const auto &problem : problems)
    if (problem && !is_for_want_of_another(problem)) std::rethrow_exception(problem);
  if (!hang.empty()) std::rethrow_exception(hang.front());
  for (const auto &problem : problems)
    if (problem) std::rethrow_exception(problem);
}

void follower_ranks::together(const rank_task &task, const std::function<void()> &own) {
  const auto problem = caught([&] {
    start(task);
    own();
  });
  if (problem) ranks_->leave();
  join(problem);
}

}  // namespace slipstream
