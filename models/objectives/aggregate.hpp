#pragma once

#include <ATen/core/Tensor.h>

#include <string_view>

#include "models/objectives/options.hpp"

namespace slipstream {

/// What a loss is divided by, counted over the global batch (all micro-batches of all data-parallel ranks),
/// so that the micro-batches' losses add up to the loss of the whole.
struct denominators {
  double tokens = 0;     ///< tokens whose mask is 1
  double sequences = 0;  ///< rows with such a token; for scores and pairs every row (a pair is two rows)
  denominators &operator+=(const denominators &other);
};

/// Counts a mask [B,T] (any dtype, non-zero on the tokens that count). Sum over the micro-batches.
denominators count_tokens(const at::Tensor &mask);

/// Sum over mask of `per_token` [B,T] (or [B,1]), divided as `how` says by the global `denominator`: a
/// scalar. `horizon` is the constant length of seq_mean_token_sum_norm.
at::Tensor aggregate(const at::Tensor &per_token, const at::Tensor &mask, aggregation how,
                     const denominators &denominator, double horizon = 0);

}  // namespace slipstream
