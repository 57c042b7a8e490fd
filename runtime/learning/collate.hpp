#pragma once

#include <cstdint>
#include <vector>

#include "models/network/batch.hpp"
#include "models/objectives/rows.hpp"
#include "runtime/types.hpp"

namespace slipstream {

/// Samples as the tensors that an objective takes; everything but what the model under training computes.
struct micro_batch {
  token_batch tokens;
  objective_inputs
      inputs;  ///< mask, behaviour, reference, advantages, old values, returns [B,T]; targets [B] (NaN: none)
  std::int64_t token_count = 0;
};

/// Pads on the right with `pad`. Arrays that no sample has stay undefined; the mask covers the response
/// tokens.
micro_batch collate(const std::vector<const sample *> &samples, std::int64_t pad, const at::Device &device);

/// Versions [B,T] between the weights that drew each response token and `version`, shaped and placed as
/// `mask`; undefined when the first sample has no versions.
at::Tensor token_ages(const std::vector<const sample *> &samples, std::int64_t version,
                      const at::Tensor &mask);

/// How many samples, one after the other, stay together: single ones, pairs, or lists of several lengths.
using unit_sizes = std::vector<std::size_t>;
/// Units of one size, which divides the number of samples.
unit_sizes equal_units(std::size_t samples, std::int64_t unit);

/// Splits samples into micro-batches of about equal length: units are sorted by their longest sequence, ties
/// in the order given, and cut every `rows` samples.
std::vector<std::vector<const sample *>> split_by_length(const std::vector<const sample *> &samples,
                                                         const unit_sizes &units, std::int64_t rows);
std::vector<std::vector<const sample *>> split_by_length(const std::vector<const sample *> &samples,
                                                         std::int64_t unit, std::int64_t rows);

}  // namespace slipstream
