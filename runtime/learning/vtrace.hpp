#pragma once

#include "runtime/learning/batch_transform.hpp"
#include "runtime/learning/vtrace_options.hpp"

namespace slipstream {

/// Fills `returns` [B,T] by V-trace (arXiv:1802.01561) and `advantages` [B,T], what they make of each token
/// before its weight: r + gamma · (the next one's return) - value. So whitening gives nothing to a token that
/// its weight, which the loss puts on, leaves out. Needs mask, behaviour, proximal (of the policy that is to
/// be improved), old_values, and targets [B], the reward that comes with the last token; with `kl_in_reward`
/// also reference. After the last token the return is 0. Constant to the gradient. Throws input_error when
/// the samples carry no values, rewards or reference.
void set_vtrace_targets(objective_inputs &inputs, const vtrace_options &options);

/// What a learner of such samples does with its batch: the targets, and with `whiten` their advantages
/// whitened over all tokens.
std::vector<batch_transform> vtrace_transforms(const vtrace_options &options, bool whiten);

}  // namespace slipstream
