#pragma once

#include <cstdint>
#include <vector>

#include "models/objectives/rows.hpp"
#include "runtime/learning/collate.hpp"
#include "runtime/types.hpp"

namespace slipstream {

/// The units of samples that a loss takes: pairs are two, a ranking begins at its place 1.
unit_sizes units_of(input_kind kind, const std::vector<const sample *> &samples);

/// Samples cut into `ranks` shares of about as many tokens each: units go, the longest first, to the rank
/// with the fewest tokens so far. In a share they keep the order given. Every rank that cuts the same samples
/// gets the same shares.
std::vector<std::vector<const sample *>> share_by_tokens(const std::vector<const sample *> &samples,
                                                         const unit_sizes &units, std::int64_t ranks);
std::vector<std::vector<const sample *>> share_by_tokens(const std::vector<const sample *> &samples,
                                                         std::int64_t unit, std::int64_t ranks);

/// What count() gives for samples, before they are tensors.
denominators count_samples(const objective_row &row, const std::vector<const sample *> &samples);

}  // namespace slipstream
