#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "models/objectives/advantages.hpp"
#include "models/objectives/token_transforms.hpp"
#include "runtime/types.hpp"

namespace slipstream {

using sample_groups = std::vector<sample_group_ptr>;

/// A step over a whole batch before the learner trains on it. An algorithm's row declares it as data and pure
/// functions; functions that it does not need stay empty.
struct batch_transform {
  std::string_view name;
  bool of_advantages = true;  ///< a learner whose loss takes no advantages, such as a critic, leaves it out
  /// Over the samples as they arrive, before the batch is cut.
  std::function<sample_groups(const sample_groups &batch)> of_samples{};
  /// Over one micro-batch, once it has proximal log-probabilities.
  std::function<void(objective_inputs &inputs)> of_micro_batch{};
  /// Over the tokens of all micro-batches of all ranks, after that.
  const token_transform *over_tokens = nullptr;

  /// Whether it takes proximal log-probabilities, so that a forward pass comes before it.
  bool needs_proximal() const { return of_micro_batch || over_tokens; }
};

/// Over what the statistics of a batch's advantages are taken: all its trained tokens, or its sequences,
/// whose tokens share one advantage.
enum class statistics_scope { tokens, sequences };

/// Each advantage a of a batch becomes (a - mean) · scale, where `statistics` gives both from the advantages
/// that `over` counts, in the batch's order. Samples without advantages stay as they are.
batch_transform normalised_advantages(statistics_scope over,
                                      normalisation (*statistics)(std::span<const double>));

}  // namespace slipstream
