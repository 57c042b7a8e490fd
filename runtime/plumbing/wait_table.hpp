#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace slipstream {

/// One outstanding request: who waits for what from whom, since when (nanoseconds of the system's clock).
struct wait_entry {
  std::string who;
  std::string whom;
  std::string what;
  std::int64_t since_ns = 0;
};

/// The outstanding requests of a run, for the watchdog. Thread-safe.
class wait_table {
 public:
  std::uint64_t open(wait_entry entry);
  void close(std::uint64_t ticket);
  /// "learner waits 12.3 s for a batch from buffer", oldest first.
  std::vector<std::string> describe(std::int64_t now_ns) const;

 private:
  mutable std::mutex mutex_;
  std::uint64_t next_ = 0;
  std::map<std::uint64_t, wait_entry> entries_;
};

}  // namespace slipstream
