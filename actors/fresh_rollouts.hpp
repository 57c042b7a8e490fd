#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "actors/offline.hpp"
#include "actors/preflight.hpp"

namespace slipstream {

/// Samples anew for prompts of a run, from other weights, scored by the topology's own actors as plain
/// functions. Deterministic: random numbers belong to (seed, draw, sample, position), with a seed that no run
/// samples from.
class fresh_rollouts {
 public:
  /// `plan` is verified. Throws input_error at an actor that cannot be asked without a run.
  explicit fresh_rollouts(preflight &plan);

  /// One group for each of `batch`'s prompts, as that would be consumed by a learner at `version`. `rows`
  /// tells the row of each draw.
  std::vector<sample_group_ptr> draw(const std::vector<sample_group_ptr> &batch,
                                     const std::map<std::uint64_t, std::int64_t> &rows,
                                     const std::shared_ptr<const transformer> &weights, std::int64_t version,
                                     std::int64_t repeat) const;

 private:
  std::vector<std::shared_ptr<rollout_group>> sample(const std::vector<sample_group_ptr> &batch,
                                                     const std::map<std::uint64_t, std::int64_t> &rows,
                                                     const std::shared_ptr<const transformer> &weights,
                                                     std::int64_t version, std::int64_t repeat) const;

  std::uint64_t seed_;
  numerics mode_;
  offline_part loader_, sampler_, join_;
  std::map<std::string, offline_part> figures_;  ///< of scorers and references, by actor
};

}  // namespace slipstream
