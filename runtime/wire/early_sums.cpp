#include "runtime/wire/early_sums.hpp"

#include <sched.h>

#include <algorithm>
#include <utility>

#include "runtime/wire/frames.hpp"

namespace slipstream::wire {

std::optional<std::uint64_t> early_sums::find(std::int64_t chunk) const {
  const auto &found = sums_[static_cast<std::size_t>(chunk)];
  if (!found.known.load(std::memory_order_acquire)) return std::nullopt;
  return found.sum;
}

void early_sums::compute(const char *bytes, std::size_t size, std::size_t chunk_bytes) {
  for (std::size_t i = 0; i < sums_.size() && !stopped_; ++i) {
    i = std::max(i, static_cast<std::size_t>(next_.load()));
    if (i >= sums_.size()) return;
    const auto begin = i * chunk_bytes;
    sums_[i].sum = checksum(bytes + begin, std::min(chunk_bytes, size - begin));
    sums_[i].known.store(true, std::memory_order_release);
  }
}

sums_thread::~sums_thread() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
    if (under_way_) under_way_->stop();
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

void sums_thread::start(at::Tensor flat, std::int64_t chunk_bytes, std::shared_ptr<early_sums> to) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back({std::move(flat), static_cast<std::size_t>(chunk_bytes), std::move(to)});
  }
  if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  changed_.notify_one();
}

void sums_thread::run() {
  // This thread runs on cores that nobody else wants, because a message that meets one more busy thread waits
  // longer. The sender's thread computes the checksums that this one has not reached. Where the system does
  // not allow that, this thread is as urgent as the others.
  const sched_param none{};
  (void)::sched_setscheduler(0, SCHED_IDLE, &none);
  for (std::unique_lock lock(mutex_);;) {
    changed_.wait(lock, [this] { return ended_ || !waiting_.empty(); });
    if (ended_) return;
    work next = std::move(waiting_.front());
    waiting_.pop_front();
    under_way_ = next.to;
    lock.unlock();
    next.to->compute(static_cast<const char *>(next.flat.data_ptr()), next.flat.nbytes(), next.chunk_bytes);
    next = {};  // this may free the version's memory, so others must not wait for the lock meanwhile
    lock.lock();
    under_way_ = nullptr;
  }
}

}  // namespace slipstream::wire
