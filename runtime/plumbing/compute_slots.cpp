#include "runtime/plumbing/compute_slots.hpp"

namespace slipstream {

void compute_slots::acquire(std::int64_t count) {
  std::unique_lock lock(mutex_);
  const auto ticket = next_ticket_++;
  changed_.wait(lock, [&] { return ticket == serving_ && free_ >= count; });
  free_ -= count;
  ++serving_;
  changed_.notify_all();
}

void compute_slots::release(std::int64_t count) {
  const std::lock_guard lock(mutex_);
  free_ += count;
  changed_.notify_all();
}

}  // namespace slipstream
