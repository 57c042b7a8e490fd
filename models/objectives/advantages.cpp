#include "models/objectives/advantages.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <limits>

#include "models/error.hpp"

namespace slipstream {
namespace {

/// r - mean, taken after subtracting the group's first reward: equal rewards then cancel exactly.
at::Tensor centred(const at::Tensor &rewards) {
  const auto shifted = rewards - rewards.narrow(-1, 0, 1);
  return shifted - shifted.mean(-1, true);
}

using rewards_rule = at::Tensor (*)(const at::Tensor &rewards, const advantage_options &options);
/// From [G,K] and the scorers' weights [K].
using scores_rule = at::Tensor (*)(const at::Tensor &scores, const at::Tensor &weights,
                                   const advantage_options &options);

/// What a row of the table computes from the rewards of one group [G], or from each scorer's by itself.
struct advantage_formula {
  std::string_view name;
  rewards_rule of_rewards;
  scores_rule of_scores = nullptr;
};
constexpr advantage_formula rules[] = {
    {"grpo", [](const at::Tensor &r, const advantage_options &o) { return grpo_advantages(r, o.eps); }},
    {"dr_grpo", [](const at::Tensor &r, const advantage_options &) { return centred_advantages(r); }},
    {"rloo", [](const at::Tensor &r, const advantage_options &) { return rloo_advantages(r); }},
    {"reinforce", [](const at::Tensor &r, const advantage_options &) { return r; }},
    {"reinforce_centred",
     [](const at::Tensor &r, const advantage_options &) { return centred_advantages(r); }},
    {"reinforce_pp_baseline",
     [](const at::Tensor &r, const advantage_options &) { return centred_advantages(r); }},
    {"gdpo",
     [](const at::Tensor &r, const advantage_options &o) {
       return gdpo_advantages(r.unsqueeze(-1), at::ones({1}, r.options()), o.eps);
     },
     [](const at::Tensor &scores, const at::Tensor &weights, const advantage_options &o) {
       return gdpo_advantages(scores, weights, o.eps);
     }},
};

const advantage_formula &rule_of(const advantage_row &row) {
  for (const auto &rule : rules)
    if (rule.name == row.name) return rule;
  throw input_error("advantage \"" + std::string(row.name) + "\" is in the table, and nothing computes it");
}

}  // namespace

at::Tensor grpo_advantages(const at::Tensor &rewards, double eps) {
  const auto c = centred(rewards);
  const auto deviation = (c.square().sum(-1, true) / static_cast<double>(rewards.size(-1) - 1)).sqrt();
  return c / (deviation + eps);
}

at::Tensor centred_advantages(const at::Tensor &rewards) {
  return centred(rewards);
}

at::Tensor rloo_advantages(const at::Tensor &rewards) {
  const auto samples = static_cast<double>(rewards.size(-1));
  return centred(rewards) * (samples / (samples - 1));
}

at::Tensor gdpo_advantages(const at::Tensor &rewards, const at::Tensor &weights, double eps) {
  const auto c = centred(rewards.transpose(-1, -2));
  const auto others = static_cast<double>(std::max<std::int64_t>(c.size(-1) - 1, 1));
  const auto deviation = (c.square().sum(-1, true) / others).sqrt();
  return (c / (deviation + eps) * weights.unsqueeze(-1)).sum(-2);
}

double distillation_advantage(double teacher, double behaviour, double coefficient, double clip) {
  const double advantage = coefficient * (teacher - behaviour);
  return clip > 0 ? std::clamp(advantage, -clip, clip) : advantage;
}

at::Tensor reinforce_pp_baseline(const at::Tensor &rewards, double eps) {
  const auto c = centred(rewards);
  return whiten(c, at::ones_like(c), eps);
}

at::Tensor whiten(const at::Tensor &x, const at::Tensor &mask, double eps, bool keep_mean) {
  const auto outside = mask.eq(0);
  const auto count = outside.logical_not().sum().clamp_min(1);
  // Any value of the batch serves as origin; with it equal entries cancel exactly.
  const auto origin = x.masked_fill(outside, -std::numeric_limits<double>::infinity()).amax();
  const auto shifted = (x - origin).masked_fill(outside, 0);
  const auto mean = shifted.sum() / count;
  const auto c = (shifted - mean).masked_fill(outside, 0);
  auto result = c / (c.square().sum() / count + eps).sqrt();
  if (keep_mean) result = (result + (mean + origin)).masked_fill(outside, 0);
  return result;
}

namespace {

void require_group(const advantage_row &row, std::int64_t size) {
  if (size < row.smallest_group)
    throw input_error("advantage \"" + std::string(row.name) + "\" needs groups of at least " +
                      std::to_string(row.smallest_group) + " samples and got " + std::to_string(size) +
                      ": raise the sampler's group");
}

std::vector<double> numbers(const at::Tensor &values) {
  const auto flat = values.contiguous();
  return {flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()};
}

}  // namespace

at::Tensor advantages_of(const advantage_row &row, const at::Tensor &rewards,
                         const advantage_options &options) {
  return rule_of(row).of_rewards(rewards, options);
}

std::vector<double> group_advantages(const advantage_row &row, const std::vector<double> &rewards,
                                     const advantage_options &options) {
  require_group(row, static_cast<std::int64_t>(rewards.size()));
  const at::NoGradGuard constant;
  return numbers(advantages_of(row, at::tensor(rewards, at::kDouble), options));
}

std::vector<double> group_advantages(const advantage_row &row,
                                     const std::map<std::string, std::vector<double>> &scores,
                                     const std::map<std::string, double> &weights,
                                     const advantage_options &options) {
  const at::NoGradGuard constant;
  std::vector<at::Tensor> columns;
  std::vector<double> counts;
  for (const auto &[scorer, values] : scores) {
    require_group(row, static_cast<std::int64_t>(values.size()));
    columns.push_back(at::tensor(values, at::kDouble));
    const auto weight = weights.find(scorer);
    counts.push_back(weight == weights.end() ? 1.0 : weight->second);
  }
  return numbers(rule_of(row).of_scores(at::stack(columns, -1), at::tensor(counts, at::kDouble), options));
}

}  // namespace slipstream
