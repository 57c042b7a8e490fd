#pragma once

#include <algorithm>
#include <cstdint>

namespace slipstream {

/// AReaL's staleness control (arXiv:2505.24298) on the version that the sampler holds: with `counted`
/// rollouts accepted (trained ones included) or running, one more is admitted while floor(counted/batch) <=
/// version + lead. Groups may be admitted whole where `batch` is a multiple of their size.
class admission {
 public:
  admission(std::int64_t batch, std::int64_t lead) : batch_(batch), lead_(lead) {}

  /// The oldest version whose weights may generate the next rollout; it may be negative.
  std::int64_t min_version(std::int64_t counted) const { return counted / batch_ - lead_; }
  bool can_admit(std::int64_t counted, std::int64_t version) const { return min_version(counted) <= version; }
  std::int64_t batch() const { return batch_; }
  std::int64_t lead() const { return lead_; }

 private:
  std::int64_t batch_;
  std::int64_t lead_;
};

}  // namespace slipstream
