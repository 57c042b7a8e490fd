#pragma once

#include <ATen/core/Tensor.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
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
/// Makes a meeting point in this process, for ranks that are its threads and for ranks elsewhere, whose
/// requests answer_meeting() answers.
std::shared_ptr<meeting_point> meet_here();

/// Takes the bytes of a request to the process that has the meeting point, and returns the bytes of the
/// answer. Throws rank_lost when no answer comes.
using meeting_requests = std::function<std::string(const std::string &request)>;
/// Reaches a meeting point in another process. Whoever waits there for something asks again and again.
std::shared_ptr<meeting_point> meet_elsewhere(meeting_requests ask);
/// Answers at once what a rank elsewhere asked. Throws run_error for bytes that are no request.
std::string answer_meeting(const std::shared_ptr<meeting_point> &here, std::string_view request);

struct tunnel_options;

struct process_group_options {
  std::int64_t rank = 0, size = 1;
  std::string device = "cpu";                 ///< where this rank's tensors are, as "cuda:1"
  std::chrono::milliseconds patience{60000};  ///< no rank waits longer for the others
  /// On the CPU, ranks of other processes are reached through TLS; null: in plain text, on this machine.
  std::shared_ptr<const tunnel_options> tunnel{};
};

/// Ranks that add up tensors and tell each other figures, over c10d: Gloo on the CPU, NCCL on GPUs. All ranks
/// call the same members in the same order. Sums are added in an order that depends on sizes and ranks only,
/// so that all ranks get the same bits, and every repeat does, too. Members throw rank_lost when another rank
/// is gone.
class process_group {
 public:
  virtual ~process_group() = default;

  std::int64_t rank() const { return rank_; }
  std::int64_t size() const { return size_; }

  /// Begins to add up contiguous `values` over the ranks, in place. Nobody may touch them until wait().
  virtual void start_sum(const at::Tensor &values) = 0;
  /// Begins to add up contiguous `values` over the ranks into those of rank `root`. What the other ranks'
  /// values become is not defined.
  virtual void start_reduce(const at::Tensor &values, std::int64_t root) = 0;
  /// Begins to overwrite contiguous `values` with those of rank `root`.
  virtual void start_broadcast(const at::Tensor &values, std::int64_t root) = 0;
  /// Waits until everything is done that was begun and not taken.
  void wait() { take_begun()(); }
  /// Returns a function that waits until everything is done that was begun since the last call of
  /// take_begun().
  virtual std::function<void()> take_begun() = 0;
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
/// not come, input_error when this build cannot connect ranks on that device. With ranks on the CPU the
/// process ignores SIGPIPE from then on, unless it handles it.
std::shared_ptr<process_group> join_group(const std::shared_ptr<meeting_point> &where,
                                          const process_group_options &options);

/// The device of a rank in a group whose first rank is on `device`: on GPUs each rank has the next one.
std::string rank_device(const std::string &device, std::int64_t rank);

/// Throws input_error unless ranks on `device` can be connected by this build.
void require_groups(const std::string &device);

}  // namespace slipstream
