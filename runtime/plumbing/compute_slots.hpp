#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace slipstream {

/// The cores a run was given. A compute actor takes as many as it has LibTorch threads for each slice of work
/// (at most about 100 ms), first come, first served, so that the sum over actors never exceeds the cores.
class compute_slots {
 public:
  explicit compute_slots(std::int64_t cores) : free_(cores), cores_(cores) {}

  std::int64_t cores() const { return cores_; }
  void acquire(std::int64_t count);
  void release(std::int64_t count);

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::int64_t free_;
  std::int64_t cores_;
  std::uint64_t next_ticket_ = 0;
  std::uint64_t serving_ = 0;
};

/// Holds slots for a scope.
class slot_lease {
 public:
  slot_lease(compute_slots &slots, std::int64_t count) : slots_(slots), count_(count) {
    slots_.acquire(count_);
  }
  ~slot_lease() { slots_.release(count_); }
  slot_lease(const slot_lease &) = delete;
  slot_lease &operator=(const slot_lease &) = delete;

 private:
  compute_slots &slots_;
  std::int64_t count_;
};

}  // namespace slipstream
