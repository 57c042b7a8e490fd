#include "runtime/learning/rank_worker.hpp"

#include <ATen/Parallel.h>
#include <fmt/format.h>

#include <utility>

#include "models/network/place.hpp"

namespace slipstream {

rank_worker::rank_worker(trainer_options options, std::shared_ptr<const transformer> initial,
                         std::int64_t rank, std::string device, std::shared_ptr<meeting_point> where)
    : options_(std::move(options)),
      initial_(std::move(initial)),
      rank_(rank),
      device_(std::move(device)),
      where_(std::move(where)) {}

void rank_worker::meet() {
  if (core_) throw run_error("a rank is told to join its group twice");
  at::set_num_threads(static_cast<int>(options_.threads));  // they are per thread
  const auto ranks =
      join_group(where_, {rank_, options_.replicas, device_, options_.patience, options_.tunnel});
  {
    const std::lock_guard lock(mutex_);
    ranks_ = ranks;
    if (left_) ranks_->leave();
  }
  options_.ranks = ranks;
  const auto on = options_.zero == 3 ? "cpu" : device_;  // it keeps its part of what is there
  options_.device = device_;
  if (options_.reference) options_.reference = place(options_.reference, on, initial_->mode());
  core_ = std::make_unique<rank_trainer>(options_, *place(initial_, on, initial_->mode()));
  initial_ = nullptr;
}

/// The leader has called the member of the task's name.
void rank_worker::follow(const rank_task &task) {
  if (const auto *resume = std::get_if<resume_task>(&task))
    core_->resume(nullptr, resume->step, resume->state);
  else if (const auto *begin = std::get_if<begin_task>(&task))
    core_->begin(begin->batch, begin->now_ns, begin->scoring_models, begin->demonstrations);
  else if (const auto *target = std::get_if<target_task>(&task))
    core_->set_target_policy(target->policy);
  else if (std::holds_alternative<slice_task>(task))
    core_->slice();
  else if (const auto *complete = std::get_if<complete_task>(&task))
    core_->complete(complete->now_ns);
  else if (std::holds_alternative<moments_task>(task))
    core_->moments();
}

std::exception_ptr rank_worker::perform(const rank_task &task) {
  try {
    if (std::holds_alternative<meet_task>(task))
      meet();
    else if (core_)
      follow(task);
    else
      throw run_error("a rank is told to work before it has joined its group");
    return nullptr;
  } catch (...) {
    const auto problem = std::current_exception();
    leave();
    return problem;
  }
}

void rank_worker::leave() {
  const std::lock_guard lock(mutex_);
  left_ = true;
  if (ranks_) ranks_->leave();
}

}  // namespace slipstream
