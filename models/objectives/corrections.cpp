#include "models/objectives/corrections.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <numeric>
#include <vector>

namespace slipstream {

at::Tensor importance_weights(const at::Tensor &target, const at::Tensor &behaviour, const at::Tensor &mask,
                              weight_level level) {
  const at::NoGradGuard constant;
  auto log_weight = (target - behaviour).masked_fill_(mask.eq(0), 0);
  if (level != weight_level::token) log_weight = log_weight.sum(1, true);
  if (level == weight_level::sequence_geometric)
    log_weight = log_weight / mask.to(log_weight.scalar_type()).sum(1, true).clamp_min(1);
  return log_weight.exp_();
}

at::Tensor cap_importance_weights(const at::Tensor &weights, weight_cap how, double low, double high) {
  if (how == weight_cap::none) return weights;
  if (how == weight_cap::truncate) return weights.clamp(low, high);
  return weights.masked_fill(weights.lt(low).logical_or_(weights.gt(high)), 0);
}

effective_size effective_sample_size(const at::Tensor &weights, const at::Tensor &mask) {
  const at::NoGradGuard constant;
  const auto counted = mask.to(weights.scalar_type());
  const auto w = weights * counted;
  const auto sums = at::stack({w.sum(), w.square().sum(), counted.sum()}).to(at::kCPU, at::kDouble);
  const double *s = sums.data_ptr<double>();
  if (s[1] == 0) return {};
  const double size = s[0] * s[0] / s[1];
  return {size, size / s[2]};
}

double effective_share(const at::Tensor &log_weights) {
  if (log_weights.numel() == 0) return 1;
  const at::NoGradGuard constant;
  const auto logs = log_weights.to(at::kDouble);
  const auto share = (logs.logsumexp(0) * 2 - (logs * 2).logsumexp(0)).exp().item<double>();
  return share / static_cast<double>(logs.numel());
}

at::Tensor stale_scale(const at::Tensor &age, double rate) {
  return (age + 1).pow(-rate);
}

at::Tensor m2po_mask(const at::Tensor &proximal, const at::Tensor &behaviour, const at::Tensor &mask,
                     double tau) {
  const at::NoGradGuard constant;
  const auto squares = (behaviour - proximal).to(at::kCPU, at::kDouble).square().contiguous();
  auto kept = mask.ne(0).cpu().contiguous().clone();
  const double *value = squares.data_ptr<double>();
  bool *keep = kept.data_ptr<bool>();
  std::vector<std::int64_t> order;
  double sum = 0;
  for (std::int64_t i = 0; i < kept.numel(); ++i)
    if (keep[i]) order.push_back(i);
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return value[a] < value[b]; });
  std::size_t count = 0;  // the mean of the smallest grows with their number: keep while it stays below tau
  while (count < order.size() && (sum + value[order[count]]) / static_cast<double>(count + 1) < tau)
    sum += value[order[count++]];
  for (; count < order.size(); ++count) keep[order[count]] = false;
  return kept.to(mask.device()).to(mask.scalar_type());
}

at::Tensor interpolate_proximal(const at::Tensor &logp, const at::Tensor &behaviour,
                                const at::Tensor &token_versions, const at::Tensor &mask,
                                std::int64_t version) {
  const at::NoGradGuard constant;
  const auto lag = (version - token_versions).to(logp.scalar_type());
  const auto alpha = ((lag - 1) / lag.clamp_min(1)).clamp(0, 1);  // lag 1 or less: 0
  return (behaviour + alpha * (logp - behaviour)).masked_fill_(mask.eq(0), 0);
}

double overlong_penalty(std::int64_t length, std::int64_t max_length, std::int64_t cache) {
  if (length <= max_length - cache) return 0;
  if (length >= max_length) return -1;
  return static_cast<double>(max_length - cache - length) / static_cast<double>(cache);
}

}  // namespace slipstream
