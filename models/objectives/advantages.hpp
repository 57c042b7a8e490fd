#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/objectives/table.hpp"

namespace slipstream {

/// Advantages from the rewards of groups [..., G] (all samples of one prompt in the last dimension). A group
/// whose rewards are all equal gives exactly 0, in any floating type.

/// GRPO (arXiv:2402.03300): (r - mean) / (sample standard deviation + eps). G >= 2.
at::Tensor grpo_advantages(const at::Tensor &rewards, double eps = 1e-6);
/// Dr.GRPO (arXiv:2503.20783), and REINFORCE centred on its group: r - mean.
at::Tensor centred_advantages(const at::Tensor &rewards);
/// RLOO (arXiv:2402.14740): r - mean of the group's other rewards. G >= 2.
at::Tensor rloo_advantages(const at::Tensor &rewards);
/// REINFORCE++ with a baseline: r - group mean, whitened over all groups [P,G] of the global batch.
at::Tensor reinforce_pp_baseline(const at::Tensor &rewards, double eps = 1e-8);

/// GDPO (arXiv:2601.05242) before its step over the batch: of rewards [..., G, K] each of the K is divided by
/// its own deviation in the group as in GRPO (a single sample: 0), then they are added up by `weights` [K].
at::Tensor gdpo_advantages(const at::Tensor &rewards, const at::Tensor &weights, double eps = 1e-6);

/// On-policy distillation: what a token gains by the teacher's log-probability over that of the weights that
/// drew it (one sample of the reverse KL, negated), times `coefficient`, kept within ±clip (0: as it is).
double distillation_advantage(double teacher, double behaviour, double coefficient, double clip);

/// (x - mean) / sqrt(population variance + eps) over the mask, 0 elsewhere; `keep_mean` puts the mean back.
/// Give the global batch: the statistics of a micro-batch are others.
at::Tensor whiten(const at::Tensor &x, const at::Tensor &mask, double eps = 1e-8, bool keep_mean = false);

struct advantage_options {
  double eps = 1e-6;  ///< beside the standard deviation
};

/// What a row computes: from the rewards of groups [.., G] their advantages.
at::Tensor advantages_of(const advantage_row &row, const at::Tensor &rewards,
                         const advantage_options &options = {});

/// Advantages of one group. Throws input_error when the group is smaller than the row needs.
std::vector<double> group_advantages(const advantage_row &row, const std::vector<double> &rewards,
                                     const advantage_options &options = {});
/// Of one group from its rewards by scorer, one an answer; a scorer without a weight counts 1.
std::vector<double> group_advantages(const advantage_row &row,
                                     const std::map<std::string, std::vector<double>> &scores,
                                     const std::map<std::string, double> &weights,
                                     const advantage_options &options = {});

}  // namespace slipstream
