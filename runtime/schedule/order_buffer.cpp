#include "runtime/schedule/order_buffer.hpp"

#include <utility>

#include "models/error.hpp"

namespace slipstream {

order_buffer::order_buffer(std::int64_t batch) : batch_(batch) {}

void order_buffer::put(sample_group_ptr group) {
  const auto id = group->id;
  if (id < next_ || !ready_.emplace(id, std::move(group)).second)
    throw run_error("buffer: group " + std::to_string(id) + " arrived twice");
}

void order_buffer::drop(std::uint64_t id) {
  dropped_.insert(id);
}

void order_buffer::advance() {
  while (taken_rollouts_ < batch_) {
    if (dropped_.erase(next_) > 0) {
      ++next_;
      continue;
    }
    const auto entry = ready_.find(next_);
    if (entry == ready_.end()) return;
    taken_rollouts_ += entry->second->rollouts;
    taken_.push_back(std::move(entry->second));
    ready_.erase(entry);
    ++next_;
  }
}

std::optional<std::vector<sample_group_ptr>> order_buffer::take() {
  advance();
  if (taken_rollouts_ < batch_) return {};
  taken_rollouts_ = 0;
  return std::exchange(taken_, {});
}

}  // namespace slipstream
