#include "runtime/learning/vtrace.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "models/error.hpp"

namespace slipstream {
namespace {

void require(const at::Tensor &given, const char *what) {
  if (!given.defined())
    throw input_error(std::string("V-trace needs ") + what + ", which its samples do not carry");
}

/// [B,T] with the reward at each row's last token of the mask, and what the KL term takes off every token.
at::Tensor token_rewards(const objective_inputs &inputs, const at::Tensor &mask, double kl_in_reward) {
  auto rewards = at::zeros_like(mask);
  if (kl_in_reward != 0)
    rewards = ((inputs.behaviour - inputs.reference).to(mask.scalar_type()) * -kl_in_reward)
                  .masked_fill(mask.eq(0), 0);
  const auto last = (mask.ne(0).to(at::kLong).cumsum(1) * mask.ne(0).to(at::kLong)).argmax(1, true);
  return rewards.scatter_add(1, last, inputs.targets.to(mask.scalar_type()).unsqueeze(1));
}

}  // namespace

void set_vtrace_targets(objective_inputs &inputs, const vtrace_options &options) {
  const at::NoGradGuard constant;
  require(inputs.old_values, "a critic's values");
  require(inputs.targets, "rewards");
  if (options.kl_in_reward != 0) require(inputs.reference, "reference log-probabilities");
  const auto mask = inputs.mask.to(at::kDouble), outside = mask.eq(0);
  const auto inside = [&](const at::Tensor &x) { return x.to(at::kDouble).masked_fill(outside, 0); };
  // What follows the last token is worth 0, as padding with values and rewards of 0 says.
  const auto values = inside(inputs.old_values), rewards = token_rewards(inputs, mask, options.kl_in_reward);
  const auto made =
      vtrace(inside(inputs.proximal - inputs.behaviour).t(), at::full_like(values, options.gamma).t(),
             rewards.t(), values.t(), at::zeros({mask.size(0)}, mask.options()), options.bounds);
  const auto type = inputs.old_values.scalar_type();
  const auto returns = inside(made.values.t());
  const auto after = at::constant_pad_nd(returns.narrow(1, 1, returns.size(1) - 1), {0, 1});
  inputs.advantages = inside(rewards + after * options.gamma - values).to(type).contiguous();
  inputs.returns = returns.to(type).contiguous();
}

std::vector<batch_transform> vtrace_transforms(const vtrace_options &options, bool whiten) {
  batch_transform targets, white;
  targets.name = "vtrace_targets";
  targets.of_advantages = false;  // a critic learns the returns
  targets.of_micro_batch = [options](objective_inputs &inputs) { set_vtrace_targets(inputs, options); };
  white.name = whitened_advantages.name;
  white.over_tokens = &whitened_advantages;
  if (whiten) return {targets, white};
  return {targets};
}

}  // namespace slipstream
