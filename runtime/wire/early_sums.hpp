#pragma once

#include <ATen/core/Tensor.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace slipstream::wire {

/// Checksums of a version's chunks that another thread has computed ahead of who sends them.
class early_sums {
 public:
  explicit early_sums(std::int64_t chunks) : sums_(static_cast<std::size_t>(chunks)) {}
  /// A chunk's checksum; nothing where the other thread is not that far.
  std::optional<std::uint64_t> find(std::int64_t chunk) const;
  /// Who sends has overtaken the other thread: it goes on here.
  void go_on_at(std::int64_t chunk) { next_ = chunk; }
  /// Nobody needs them any more.
  void stop() { stopped_ = true; }
  /// The other thread's work: all chunks of these bytes, in their order, until it is stopped.
  void compute(const char *bytes, std::size_t size, std::size_t chunk_bytes);

 private:
  struct entry {
    std::uint64_t sum = 0;
    std::atomic<bool> known = false;
  };
  std::vector<entry> sums_;
  std::atomic<std::int64_t> next_ = 0;
  std::atomic<bool> stopped_ = false;
};

/// The thread that computes them, for one version after the other. It begins with the first one.
class sums_thread {
 public:
  sums_thread() = default;
  ~sums_thread();
  sums_thread(const sums_thread &) = delete;
  sums_thread &operator=(const sums_thread &) = delete;
  /// Of a whole version, which is kept until its last chunk is done or it is stopped.
  void start(at::Tensor flat, std::int64_t chunk_bytes, std::shared_ptr<early_sums> to);

 private:
  struct work {
    at::Tensor flat;
    std::size_t chunk_bytes = 0;
    std::shared_ptr<early_sums> to;
  };
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<work> waiting_;
  std::shared_ptr<early_sums> under_way_;
  bool ended_ = false;
  std::thread thread_;
};

}  // namespace slipstream::wire
