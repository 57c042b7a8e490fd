#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/types.hpp"

namespace slipstream {

/// The distribution that a token is drawn from: softmax(logits / temperature), of which top-k keeps the k
/// most likely tokens, then top-p (Holtzman et al. 2020) the smallest set of the most likely ones whose share
/// reaches p (the one that crosses p is kept), then min-p (Nguyen et al. 2024) those at least min_p times as
/// likely as the best; renormalised. Ties go to the lower id. Temperature 0 puts all probability on the
/// greatest logit. A token whose logit is minus infinity is not allowed. Throws run_error when the logits are
/// not finite.
std::vector<double> filtered_probabilities(std::span<const float> logits, const sampling_options &options);

struct drawn_token {
  std::int64_t token = 0;
  float logprob = 0.0f;
  std::vector<std::int64_t> kept{};  ///< what the filters left, ascending; empty without a filter
};

/// Draws one token by inverting the cumulative distribution at `u` in [0,1). `forbidden` tokens are never
/// drawn. The log-probability is the one under the distribution drawn from; at temperature 0 it is that of
/// the whole distribution at temperature 1. Without a filter it has the bits of arithmetic::log_softmax, as
/// the learner computes it; with one, those of functions::kept_logprobs. Throws run_error when the logits are
/// not finite.
drawn_token draw_token(std::span<const float> logits, const sampling_options &options,
                       std::span<const std::int64_t> forbidden, double u);

}  // namespace slipstream
