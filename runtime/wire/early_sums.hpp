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

/// Checksums of a version's chunks, which another thread computes ahead of the thread that sends the chunks.
class early_sums {
 public:
  explicit early_sums(std::int64_t chunks) : sums_(static_cast<std::size_t>(chunks)) {}
  /// Returns a chunk's checksum, or nothing where the other thread has not computed it yet.
  std::optional<std::uint64_t> find(std::int64_t chunk) const;
  /// Moves the other thread on to this chunk, because the sending thread has overtaken it.
  void go_on_at(std::int64_t chunk) { next_ = chunk; }
  /// Stops the other thread: nobody needs the checksums any more.
  void stop() { stopped_ = true; }
  /// Does the other thread's work: computes the checksums of all chunks of these bytes, in their order, until
  /// stop() is called.
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

/// The thread that computes checksums, for one version after the other. It is started with the first version.
class sums_thread {
 public:
  sums_thread() = default;
  ~sums_thread();
  sums_thread(const sums_thread &) = delete;
  sums_thread &operator=(const sums_thread &) = delete;
  /// Computes the checksums of a whole version. The version is kept until its last chunk is done or `to` is
  /// stopped.
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
