#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "models/objectives/rows.hpp"
#include "runtime/learning/batch_transform.hpp"
#include "runtime/learning/collate.hpp"
#include "runtime/parallel/process_group.hpp"

namespace slipstream {

/// What the ranks of a learner tell each other, so that all decide by the figures of all, in the order of
/// ranks, and so decide alike. A single rank tells itself.
class rank_figures {
 public:
  explicit rank_figures(std::shared_ptr<process_group> ranks) : ranks_(std::move(ranks)) {}

  std::int64_t rank() const { return ranks_ ? ranks_->rank() : 0; }
  std::int64_t ranks() const { return ranks_ ? ranks_->size() : 1; }

  /// The numbers of each rank's tensors, flat and in a row; in float64 where there are several ranks.
  std::vector<at::Tensor> by_rank(const std::vector<at::Tensor> &own) const;
  metric_totals sum(const metric_totals &own) const;
  /// Takes a transform over the tokens of all ranks' micro-batches, of which `own` are this rank's.
  void transform(const token_transform &change, const objective_options &options,
                 const std::vector<micro_batch *> &own) const;

 private:
  /// All ranks' numbers in a row, and where this rank's begin.
  std::pair<at::Tensor, std::int64_t> in_a_row(const std::vector<at::Tensor> &own) const;

  std::shared_ptr<process_group> ranks_;
};

}  // namespace slipstream
