#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "runtime/parallel/process_group.hpp"

namespace slipstream {

/// Adds the flat gradient [n] up over the ranks while the last backward pass still runs: in buckets of
/// `bucket` elements, from the end of the buffer to its beginning, each as soon as the leaves that lie in it
/// have their gradient. Buckets start in this order on every rank, so that the sums match up, and always add
/// the same elements together, so that they have the same bits whatever came when.
class gradient_reducer {
 public:
  gradient_reducer(std::shared_ptr<process_group> ranks, at::Tensor gradient, std::int64_t bucket);

  /// Runs `loss.backward()`, this rank's last of the sum, and starts buckets while it runs.
  void backward(const at::Tensor &loss);
  /// Starts all buckets that have not started: a rank without a backward pass of its own begins with this.
  void start_rest();
  /// Until every bucket holds the sum over the ranks.
  void finish();

  std::int64_t buckets() const { return static_cast<std::int64_t>(missing_.size()); }
  /// Buckets that the newest backward pass started before it ended.
  std::int64_t started_early() const { return started_early_; }

 private:
  void arrived(const at::Tensor &leaf_gradient);
  void expect(const at::Tensor &leaf_gradient);
  void each_bucket(const at::Tensor &leaf_gradient,
                   const std::function<void(std::size_t, std::int64_t)> &act);
  void start_ready();

  std::shared_ptr<process_group> ranks_;
  at::Tensor gradient_;
  std::int64_t bucket_;
  std::vector<std::int64_t>
      missing_;           ///< elements of each bucket that wait for a leaf; the last bucket first
  std::size_t next_ = 0;  ///< the first bucket that has not started
  std::int64_t started_early_ = 0;
};

}  // namespace slipstream
