#pragma once

#include <cstdint>
#include <vector>

#include "models/objectives/rows.hpp"
#include "runtime/types.hpp"

namespace slipstream {

/// Samples cut into `ranks` shares of about as many tokens each: units (single samples, or pairs that stay
/// together) go, the longest first, to the rank with the fewest tokens so far. In a share they keep the order
/// given. Every rank that cuts the same samples gets the same shares.
std::vector<std::vector<const sample *>> share_by_tokens(const std::vector<const sample *> &samples,
                                                         std::int64_t unit, std::int64_t ranks);

/// What count() gives for samples, before they are tensors.
denominators count_samples(const objective_row &row, const std::vector<const sample *> &samples);

}  // namespace slipstream
