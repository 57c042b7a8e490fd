#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "models/objectives/rows.hpp"
#include "runtime/learning/batch_transform.hpp"
#include "runtime/learning/collate.hpp"

namespace slipstream {

/// Samples of one optimizer step as micro-batches, shared out among the ranks of a learner.
struct micro_batches {
  std::vector<micro_batch> own;              ///< the micro-batches of this rank
  denominators totals;                       ///< of all ranks; samples that were left out count, too
  std::vector<std::int64_t> slice_tokens{};  ///< of all ranks: as many slices as the rank with the most has
};

/// The parts of one optimizer step.
struct mini_batch {
  micro_batches sampled;
  micro_batches mismatched{};  ///< of kto: each prompt with the answer to the next one
  micro_batches demonstrated;

  std::size_t slices() const { return sampled.slice_tokens.size() + demonstrated.slice_tokens.size(); }
};

/// How a rank cuts a batch.
struct cutting {
  std::int64_t rank = 0, ranks = 1;
  std::int64_t rows = 32;  ///< samples a micro-batch
  std::int64_t pad_token = 0;
  at::Device device = at::kCPU;
  std::int64_t version = 0;  ///< that the batch met, from which the tokens' ages count
  /// Samples without advantage stay out, and their tokens in the denominators.
  bool leave_out_zero = false;
};

/// Each prompt with the answer to the next sample's, the last one's with the first's: what KTO takes its
/// reference point of (arXiv:2402.01306, section 4.1). None is longer than the longest sample. Throws
/// input_error for fewer than two samples.
std::vector<sample> mismatched_samples(const std::vector<const sample *> &samples);

/// One mini-batch of these samples.
mini_batch cut_samples(const std::vector<const sample *> &samples, const objective_row &row,
                       const cutting &how);
/// The batch's groups in `count` mini-batches, one after the other. Each has its part of the demonstrations,
/// which are weighted against the rest by tokens within that part (arXiv:2203.02155, eq. 2).
std::vector<mini_batch> cut_batch(const sample_groups &batch, const sample_groups &demonstrations,
                                  std::int64_t count, const objective_row &row, const cutting &how);

/// All micro-batches of samples that this rank has of a batch.
std::vector<micro_batch *> own_micro_batches(std::vector<mini_batch> &batch);

/// A slice of a batch's work: one micro-batch of every rank.
struct batch_slice {
  bool first_pass = false;  ///< forward only, before the first step
  std::size_t mini_batch = 0;
  std::size_t position = 0;  ///< in the mini-batch
  std::int64_t epoch = 0;
  bool ends_mini_batch = false, ends_pass = false;
};
/// Slice number `n` of a batch, or none behind its last one. Mini-batches without slices are passed over.
std::optional<batch_slice> slice_at(const std::vector<mini_batch> &batch, bool first_pass,
                                    std::int64_t epochs, std::size_t n);

}  // namespace slipstream
