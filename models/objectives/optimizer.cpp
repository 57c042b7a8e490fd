#include "models/objectives/optimizer.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "models/error.hpp"
#include "models/objectives/adamw_kernel.hpp"

namespace slipstream {
namespace {

constexpr std::int64_t block = 1 << 15;  // elements: a block of every buffer fits the second-level cache

template <class T>
void step_on_cpu(const at::Tensor &parameters, const at::Tensor &gradients, const adamw_state &state,
                 const adamw_factors &factors, const at::Tensor &decays) {
  T *p = parameters.data_ptr<T>(), *m = state.m.data_ptr<T>(), *v = state.v.data_ptr<T>();
  const T *g = gradients.data_ptr<T>();
  const bool *d = decays.defined() ? decays.data_ptr<bool>() : nullptr;
  at::parallel_for(0, parameters.numel(), block, [&](std::int64_t begin, std::int64_t end) {
    adamw_range(p + begin, g + begin, m + begin, v + begin, d ? d + begin : nullptr, end - begin, factors);
  });
  parameters.unsafeGetTensorImpl()->bump_version();  // a graph that saved the old values must notice
}

void step_anywhere(const at::Tensor &parameters, const at::Tensor &gradients, const adamw_state &state,
                   const adamw_factors &f, const at::Tensor &decays) {
  const at::NoGradGuard constant;
  const auto g = gradients * f.scale;
  state.m.lerp_(g, 1 - f.beta1);
  state.v.mul_(f.beta2).addcmul_(g, g, 1 - f.beta2);
  const auto denominator = (state.v.sqrt() * f.root_correction).add_(f.eps);
  if (decays.defined())
    parameters.sub_(parameters * decays, 1 - f.keep);
  else
    parameters.mul_(f.keep);
  parameters.addcdiv_(state.m, denominator, -f.rate);
}

void check_buffers(const at::Tensor &parameters, const at::Tensor &gradients, const adamw_state &state) {
  for (const auto *t : {&gradients, &state.m, &state.v})
    TORCH_CHECK(t->sizes() == parameters.sizes() && t->scalar_type() == parameters.scalar_type() &&
                    t->device() == parameters.device() && t->is_contiguous(),
                "gradients and moments must match the parameters in size, type and device");
  TORCH_CHECK(parameters.is_contiguous(), "the parameters must be one flat buffer");
}

const at::Tensor &named(const optimizer_tensors &tensors, std::string_view name, std::int64_t n) {
  for (const auto &[key, tensor] : tensors) {
    if (key != name) continue;
    if (tensor.numel() == n) return tensor;
    throw input_error("optimizer state \"" + key + "\" holds " + std::to_string(tensor.numel()) +
                      " elements where the model has " + std::to_string(n) +
                      ": it belongs to another model; start from the weights alone");
  }
  throw input_error("the optimizer state lacks \"" + std::string(name) + "\": start from the weights alone");
}

}  // namespace

adamw_state fresh_adamw(const at::Tensor &parameters) {
  return {at::zeros_like(parameters), at::zeros_like(parameters), 0};
}

optimizer_tensors to_tensors(const adamw_state &state) {
  return {{"m", state.m}, {"v", state.v}, {"step", at::full({1}, state.step, at::kLong)}};
}

adamw_state adamw_from_tensors(const optimizer_tensors &tensors, std::int64_t n) {
  return {named(tensors, "m", n), named(tensors, "v", n), named(tensors, "step", 1).item<std::int64_t>()};
}

double gradient_norm(const at::Tensor &gradients) {
  if (!gradients.is_cpu() || !gradients.is_contiguous() ||
      (gradients.scalar_type() != at::kFloat && gradients.scalar_type() != at::kDouble))
    return gradients.norm().item<double>();
  const std::int64_t n = gradients.numel();
  std::vector<double> sums(static_cast<std::size_t>((n + block - 1) / block));
  at::parallel_for(0, static_cast<std::int64_t>(sums.size()), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t first = i * block, count = std::min(block, n - first);
      sums[static_cast<std::size_t>(i)] = gradients.scalar_type() == at::kFloat
                                              ? sum_of_squares(gradients.data_ptr<float>() + first, count)
                                              : sum_of_squares(gradients.data_ptr<double>() + first, count);
    }
  });
  double total = 0;
  for (const double s : sums) total += s;
  return std::sqrt(total);
}

double clip_scale(double norm, double max_norm, double eps) {
  return max_norm > 0 ? std::min(1.0, max_norm / (norm + eps)) : 1;
}

void adamw_step(const at::Tensor &parameters, const at::Tensor &gradients, adamw_state &state,
                const adamw_options &options, double rate, double scale, const at::Tensor &decays) {
  check_buffers(parameters, gradients, state);
  const auto step = static_cast<double>(++state.step);
  const adamw_factors factors{
      .scale = scale,
      .beta1 = options.beta1,
      .beta2 = options.beta2,
      .rate = rate / (1 - std::pow(options.beta1, step)),
      .root_correction = 1 / std::sqrt(1 - std::pow(options.beta2, step)),
      .eps = options.eps,
      .keep = 1 - rate * options.weight_decay,
  };
  const auto type = parameters.scalar_type();
  if (parameters.is_cpu() && type == at::kFloat)
    step_on_cpu<float>(parameters, gradients, state, factors, decays);
  else if (parameters.is_cpu() && type == at::kDouble)
    step_on_cpu<double>(parameters, gradients, state, factors, decays);
  else
    step_anywhere(parameters, gradients, state, factors, decays);
}

double learning_rate(const learning_rate_schedule &schedule, std::int64_t step) {
  if (step < schedule.warmup)
    return schedule.rate * static_cast<double>(step + 1) / static_cast<double>(schedule.warmup);
  if (schedule.shape == schedule_shape::constant) return schedule.rate;
  const auto span = static_cast<double>(std::max<std::int64_t>(schedule.total - schedule.warmup, 1));
  const double progress = std::min(1.0, static_cast<double>(step - schedule.warmup) / span);
  const double left = schedule.shape == schedule_shape::cosine
                          ? (1 + std::cos(std::numbers::pi * progress)) / 2
                          : 1 - progress;
  return schedule.rate * (schedule.final_ratio + (1 - schedule.final_ratio) * left);
}

}  // namespace slipstream
