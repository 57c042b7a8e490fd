#pragma once

#include <chrono>
#include <cstdint>
#include <exception>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <variant>
#include <vector>

#include "models/network/transformer.hpp"
#include "runtime/types.hpp"

// What the leading rank of a learner has the others do, as values: to a rank in another process they go as
// bytes (runtime/nodes/rank_frames.hpp).
namespace slipstream {

/// Meets the other ranks; the first task of every rank.
struct meet_task {};
/// Goes on from a checkpoint; the moments come from rank 0 over the process group.
struct resume_task {
  std::int64_t step = 0;  ///< of the optimizer
  nlohmann::json state;   ///< as trainer::state() gave it
};
struct begin_task {
  std::vector<sample_group_ptr> batch;
  std::int64_t now_ns = 0;
  std::map<std::string, std::int64_t> scoring_models;
  std::vector<sample_group_ptr> demonstrations;
};
/// The policy that a critic's batch is scored by.
struct target_task {
  std::shared_ptr<const transformer> policy;
};
struct slice_task {};
struct complete_task {
  std::int64_t now_ns = 0;
};
/// Sends rank 0 the part of the optimizer's state that the rank keeps.
struct moments_task {};

using rank_task =
    std::variant<meet_task, resume_task, begin_task, target_task, slice_task, complete_task, moments_task>;
using rank_task_ptr = std::shared_ptr<const rank_task>;

/// A rank that follows another one, wherever it runs. Used by the leader's thread only.
class rank_lane {
 public:
  virtual ~rank_lane() = default;

  /// As messages name it: "learner-2 on node "a"", or nothing of a thread of this process.
  virtual std::string name() const = 0;
  /// Has it do the next task; the one before has been waited for.
  virtual void start(const rank_task_ptr &task) = 0;
  /// Waits until the task is done; what broke it, or null. Throws rank_lost when that takes longer.
  virtual std::exception_ptr finish(std::chrono::milliseconds patience) = 0;
  /// There will be no more tasks. Waits no longer than that until the rank has ended.
  virtual void end(std::chrono::milliseconds patience) = 0;
};

}  // namespace slipstream
