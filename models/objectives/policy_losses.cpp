#include "models/objectives/policy_losses.hpp"

#include <ATen/ATen.h>

namespace slipstream {
namespace {

at::Tensor log_ratio(const at::Tensor &logp, const at::Tensor &old_logp, const at::Tensor &mask) {
  return (logp - old_logp)
      .masked_fill(mask.eq(0), 0);  // before exp: garbage at masked places must not overflow
}

/// -min(r A, clip(r) A), written with the ratio that counts so that the clip mask comes for free.
policy_terms clipped_loss(const at::Tensor &ratio, const at::Tensor &advantages, const clip_bounds &bounds,
                          const at::Tensor &scale = {}) {
  const auto constant = ratio.detach();
  const auto bounded = scale.defined()
                           ? constant.minimum(scale * bounds.high + 1).maximum(1 - scale * bounds.low)
                           : constant.clamp(1 - bounds.low, 1 + bounds.high);
  const auto clipped = (constant * advantages).gt(bounded * advantages);
  return {at::where(clipped, bounded, ratio) * -advantages, constant, clipped, {}, {}};
}

}  // namespace

policy_terms reinforce(const at::Tensor &logp, const at::Tensor &advantages) {
  return {logp * -advantages, {}, {}, {}, {}};
}

policy_terms unclipped(const at::Tensor &logp, const at::Tensor &behaviour, const at::Tensor &advantages,
                       const at::Tensor &mask) {
  const auto ratio = log_ratio(logp, behaviour, mask).exp();
  return {ratio * -advantages, ratio.detach(), {}, ratio.detach(), {}};
}

policy_terms ppo_clip(const at::Tensor &logp, const at::Tensor &old_logp, const at::Tensor &advantages,
                      const at::Tensor &mask, const clip_bounds &bounds, const at::Tensor &scale) {
  return clipped_loss(log_ratio(logp, old_logp, mask).exp(), advantages, bounds, scale);
}

policy_terms ppo_dual_clip(const at::Tensor &logp, const at::Tensor &old_logp, const at::Tensor &advantages,
                           const at::Tensor &mask, const clip_bounds &bounds, double dual_clip,
                           const at::Tensor &scale) {
  auto terms = ppo_clip(logp, old_logp, advantages, mask, bounds, scale);
  const auto beyond = terms.ratio.gt(dual_clip).logical_and_(advantages.lt(0));
  terms.loss = at::where(beyond, advantages * -dual_clip, terms.loss);
  terms.clipped = terms.clipped.logical_or(beyond);
  return terms;
}

policy_terms decoupled_ppo(const at::Tensor &logp, const at::Tensor &proximal, const at::Tensor &behaviour,
                           const at::Tensor &advantages, const at::Tensor &mask, const clip_bounds &bounds,
                           const importance_weight_options &weights, const at::Tensor &scale) {
  auto terms = ppo_clip(logp, proximal, advantages, mask, bounds, scale);
  terms.weight = importance_weights(proximal, behaviour, mask, weights.level);
  terms.capped = cap_importance_weights(terms.weight, weights.cap, weights.low, weights.high);
  terms.loss = terms.loss * terms.capped;
  return terms;
}

policy_terms gspo(const at::Tensor &logp, const at::Tensor &old_logp, const at::Tensor &advantages,
                  const at::Tensor &mask, const clip_bounds &bounds) {
  const auto lengths = mask.to(logp.scalar_type()).sum(1, true).clamp_min(1);
  const auto ratio = (log_ratio(logp, old_logp, mask).sum(1, true) / lengths).exp();
  return clipped_loss(ratio, advantages, bounds);
}

policy_terms cispo(const at::Tensor &logp, const at::Tensor &behaviour, const at::Tensor &advantages,
                   const at::Tensor &mask, const clip_bounds &bounds) {
  const auto ratio = importance_weights(logp, behaviour, mask);
  const auto capped = ratio.clamp(1 - bounds.low, 1 + bounds.high);
  return {logp * (capped * -advantages), ratio, {}, ratio, capped};
}

}  // namespace slipstream
