#pragma once

#include <ATen/core/Tensor.h>

#include "models/objectives/corrections.hpp"

namespace slipstream {

/// A per-token policy-gradient loss, and constants for metrics. Tensors are [B,T], or [B,1] where one value
/// stands for a sequence.
struct policy_terms {
  at::Tensor loss;     ///< to be aggregated over the mask; differentiable in logp
  at::Tensor ratio;    ///< exp(logp - old_logp) before clipping; undefined where there is none
  at::Tensor clipped;  ///< bool: the clip decided, so no gradient flows; undefined where nothing clips
  at::Tensor weight;   ///< importance weight before its cap; undefined where there is none
  at::Tensor capped;   ///< importance weight after its cap; undefined where there is none
};

/// In all of these: logp [B,T] differentiable; old_logp, behaviour, proximal [B,T] constant; advantages [B,T]
/// or [B,1]; mask [B,T]. What stands outside the mask has no effect as long as advantages are finite there.

/// REINFORCE (Williams 1992): -A logp.
policy_terms reinforce(const at::Tensor &logp, const at::Tensor &advantages);

/// M2PO (arXiv:2510.01161): -A exp(logp - behaviour), unclipped; the second-moment mask keeps it in bounds.
policy_terms unclipped(const at::Tensor &logp, const at::Tensor &behaviour, const at::Tensor &advantages,
                       const at::Tensor &mask);

/// `scale` [B,T] of the clipped ones multiplies each token's bounds; undefined: 1.

/// PPO's clipped objective (arXiv:1707.06347, eq. 7) with two bounds (DAPO, arXiv:2503.14476).
policy_terms ppo_clip(const at::Tensor &logp, const at::Tensor &old_logp, const at::Tensor &advantages,
                      const at::Tensor &mask, const clip_bounds &bounds, const at::Tensor &scale = {});

/// Dual-clip PPO (arXiv:1912.09729, eq. 5): for A < 0 the objective is at least dual_clip · A.
policy_terms ppo_dual_clip(const at::Tensor &logp, const at::Tensor &old_logp, const at::Tensor &advantages,
                           const at::Tensor &mask, const clip_bounds &bounds, double dual_clip,
                           const at::Tensor &scale = {});

/// Decoupled PPO (Hilton et al. 2021; AReaL, arXiv:2505.24298): PPO around `proximal`, weighted by
/// exp(proximal - behaviour), constant to the gradient and capped as `weights` says.
policy_terms decoupled_ppo(const at::Tensor &logp, const at::Tensor &proximal, const at::Tensor &behaviour,
                           const at::Tensor &advantages, const at::Tensor &mask, const clip_bounds &bounds,
                           const importance_weight_options &weights, const at::Tensor &scale = {});

/// GSPO (arXiv:2507.18071, eqs. 5-7): one length-normalised ratio a sequence. Meant for seq_mean_token_mean.
policy_terms gspo(const at::Tensor &logp, const at::Tensor &old_logp, const at::Tensor &advantages,
                  const at::Tensor &mask, const clip_bounds &bounds);

/// CISPO (MiniMax-M1, arXiv:2506.13585, eq. 4): REINFORCE weighted by the clipped ratio, constant to the
/// gradient.
policy_terms cispo(const at::Tensor &logp, const at::Tensor &behaviour, const at::Tensor &advantages,
                   const at::Tensor &mask, const clip_bounds &bounds);

}  // namespace slipstream
