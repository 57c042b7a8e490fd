#pragma once

#include <ATen/core/Tensor.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "models/error.hpp"

namespace slipstream {

/// Another rank has left, or has not come in time.
class rank_lost : public run_error {
 public:
  using run_error::run_error;
};

/// Where the ranks of a group find each other.
struct meeting_point;
/// For ranks that are threads of this process.
std::shared_ptr<meeting_point> meet_here();

struct process_group_options {
  std::int64_t rank = 0, size = 1;
  std::string device = "cpu";                 ///< where this rank's tensors are, as "cuda:1"
  std::chrono::milliseconds patience{60000};  ///< no rank waits longer for the others
};

/// Ranks that add up tensors and tell each other figures, over c10d: Gloo on the CPU, NCCL on GPUs. All call
/// the same members in the same order; sums are added in an order that depends on sizes and ranks only, so
/// that all ranks get the same bits, and get them again. Members throw rank_lost when another rank is gone.
class process_group {
 public:
  virtual ~process_group() = default;

  std::int64_t rank() const { return rank_; }
  std::int64_t size() const { return size_; }

  /// Begins to add up contiguous `values` over the ranks, in place. Nobody may touch them until wait().
  virtual void start_sum(const at::Tensor &values) = 0;
  /// Begins to overwrite contiguous `values` with those that rank `root` has.
  virtual void start_broadcast(const at::Tensor &values, std::int64_t root) = 0;
  /// Until all that was begun is done.
  virtual void wait() = 0;
  /// Each rank's tensor [n] of one type, in the order of ranks, on the CPU; n may differ.
  virtual std::vector<at::Tensor> gather(const at::Tensor &own) = 0;
  /// Breaks the connections: whoever waits for this rank gets rank_lost at once, this one included.
  virtual void leave() = 0;

  std::vector<std::string> gather(const std::string &own);

 protected:
  process_group(std::int64_t rank, std::int64_t size) : rank_(rank), size_(size) {}

 private:
  std::int64_t rank_, size_;
};

/// Joins the group that meets at `where`; comes back when all ranks are there. Throws rank_lost when they do
/// not come, input_error when this build cannot connect ranks on that device.
std::shared_ptr<process_group> join_group(const std::shared_ptr<meeting_point> &where,
                                          const process_group_options &options);

/// Where a rank of a group computes whose first one is on `device`: on GPUs each has the next one.
std::string rank_device(const std::string &device, std::int64_t rank);

/// Throws input_error unless ranks on `device` can be connected by this build.
void require_groups(const std::string &device);

}  // namespace slipstream
