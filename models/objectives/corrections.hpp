#pragma once

#include <ATen/core/Tensor.h>

#include <string_view>

#include "models/objectives/options.hpp"

namespace slipstream {

/// exp(target - behaviour), constant to the gradient: [B,T] with 1 outside the mask, or [B,1] for the
/// sequence levels.
at::Tensor importance_weights(const at::Tensor &target, const at::Tensor &behaviour, const at::Tensor &mask,
                              weight_level level = weight_level::token);

/// The weights after the cap (same shape).
at::Tensor cap_importance_weights(const at::Tensor &weights, weight_cap how, double low, double high);

/// Effective sample size (Kong 1992) of token weights over the mask: (sum w)² / sum w², and its share of the
/// count.
struct effective_size {
  double count = 0;
  double ratio = 0;
};
effective_size effective_sample_size(const at::Tensor &weights, const at::Tensor &mask);

/// The same share from the logarithms of the weights [n] of sequences, which may be far from 1: VCPO
/// (arXiv:2602.17616) scales an AdamW step by its root. 1 when there are none.
double effective_share(const at::Tensor &log_weights);

/// How much of its clip range a token keeps [B,T]: (1 + age)^-rate, with `age` [B,T] in versions. Shrinks for
/// rate > 0, grows for rate < 0. Staleness-adaptive trust regions (arXiv:2607.18722) contract the bound that
/// the advantage's sign selects by the log-ratio; here the age is the measure, and both bounds move, of
/// which only that one can act.
at::Tensor stale_scale(const at::Tensor &age, double rate);

/// M2PO's second-moment trust region over the global batch: drops the tokens with the largest
/// (behaviour - proximal)² one by one until the mean of the remaining is below `tau`; the kept mask [B,T].
at::Tensor m2po_mask(const at::Tensor &proximal, const at::Tensor &behaviour, const at::Tensor &mask,
                     double tau);

/// Proximal log-probabilities [B,T] without a forward pass (AReaL): behaviour + alpha (logp - behaviour),
/// where alpha = (p - v)/(version - v) for a token of version v < p = version - 1, else 0. Constant to the
/// gradient; 0 outside the mask.
at::Tensor interpolate_proximal(const at::Tensor &logp, const at::Tensor &behaviour,
                                const at::Tensor &token_versions, const at::Tensor &mask,
                                std::int64_t version);

/// DAPO's soft overlong penalty (arXiv:2503.14476, eq. 13): 0 up to max_length - cache tokens, then linear
/// down to -1 at max_length and beyond.
double overlong_penalty(std::int64_t length, std::int64_t max_length, std::int64_t cache);

}  // namespace slipstream
