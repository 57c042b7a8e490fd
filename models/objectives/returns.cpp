#include "models/objectives/returns.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "models/objectives/advantages.hpp"

namespace slipstream {
namespace {

at::Tensor on_host(const at::Tensor &x) {
  return x.detach().to(at::kCPU, at::kDouble).contiguous();
}
at::Tensor like(const at::Tensor &result, const at::Tensor &x) {
  return result.to(x.device(), x.scalar_type());
}

}  // namespace

advantages_and_returns gae(const at::Tensor &rewards, const at::Tensor &values, const at::Tensor &bootstrap,
                           const at::Tensor &mask, double gamma, double lambda) {
  const auto r = on_host(rewards), v = on_host(values), last = on_host(bootstrap), m = on_host(mask);
  const auto advantages = at::zeros_like(r), returns = at::zeros_like(r);
  const std::int64_t width = r.size(1);
  for (std::int64_t b = 0; b < r.size(0); ++b) {
    double next_value = last.data_ptr<double>()[b], advantage = 0;
    for (std::int64_t i = (b + 1) * width; i-- > b * width;) {
      if (m.data_ptr<double>()[i] == 0) continue;
      const double value = v.data_ptr<double>()[i];
      advantage = r.data_ptr<double>()[i] + gamma * next_value - value + gamma * lambda * advantage;
      advantages.data_ptr<double>()[i] = advantage;
      returns.data_ptr<double>()[i] = advantage + value;
      next_value = value;
    }
  }
  return {like(advantages, values), like(returns, values)};
}

at::Tensor returns_to_go(const at::Tensor &rewards, const at::Tensor &mask, double gamma) {
  const auto zeros = at::zeros_like(rewards);
  return gae(rewards, zeros, zeros.select(1, 0), mask, gamma, 1).advantages;
}

advantages_and_returns reinforce_pp(const at::Tensor &scores, const at::Tensor &logp,
                                    const at::Tensor &reference, const at::Tensor &mask, double beta,
                                    double gamma, double eps) {
  auto rewards = on_host((logp - reference) * -beta);
  const auto s = on_host(scores), m = on_host(mask);
  const std::int64_t width = rewards.size(1);
  for (std::int64_t b = 0; b < rewards.size(0); ++b) {
    std::int64_t i = (b + 1) * width - 1;
    while (i > b * width && m.data_ptr<double>()[i] == 0) --i;
    rewards.data_ptr<double>()[i] += s.data_ptr<double>()[b];
  }
  const auto returns = returns_to_go(rewards, m, gamma);
  return {like(whiten(returns, m, eps), logp), like(returns, logp)};
}

vtrace_result vtrace(const at::Tensor &log_rhos, const at::Tensor &discounts, const at::Tensor &rewards,
                     const at::Tensor &values, const at::Tensor &bootstrap, const vtrace_bounds &bounds) {
  const auto l = on_host(log_rhos), d = on_host(discounts), r = on_host(rewards), v = on_host(values);
  const auto last = on_host(bootstrap);
  const auto targets = at::empty_like(v), advantages = at::empty_like(v);
  const std::int64_t width = v.size(1);
  for (std::int64_t b = 0; b < width; ++b) {
    double next_value = last.data_ptr<double>()[b], next_target = next_value;
    for (std::int64_t i = (v.size(0) - 1) * width + b; i >= 0; i -= width) {
      const double rho = std::exp(l.data_ptr<double>()[i]), discount = d.data_ptr<double>()[i];
      const double reward = r.data_ptr<double>()[i], value = v.data_ptr<double>()[i];
      advantages.data_ptr<double>()[i] =
          std::min(rho, bounds.pg_rho) * (reward + discount * next_target - value);
      next_target = value + std::min(rho, bounds.rho) * (reward + discount * next_value - value) +
                    discount * std::min(rho, bounds.c) * (next_target - next_value);
      targets.data_ptr<double>()[i] = next_target;
      next_value = value;
    }
  }
  return {like(targets, values), like(advantages, values)};
}

value_terms value_loss(const at::Tensor &values, const at::Tensor &old_values, const at::Tensor &returns,
                       double eps) {
  const auto bounded = old_values + (values - old_values).clamp(-eps, eps);
  const auto plain = (values - returns).square(), clipped = (bounded - returns).square();
  return {at::maximum(plain, clipped) * 0.5, clipped.detach().gt(plain.detach())};
}

}  // namespace slipstream
