#include "models/objectives/token_transforms.hpp"

#include <ATen/ATen.h>

#include "models/objectives/advantages.hpp"
#include "models/objectives/corrections.hpp"

namespace slipstream {

const token_transform second_moment_mask{
    "second_moment_mask", [](const objective_inputs &i) { return i.behaviour - i.proximal; },
    [](const at::Tensor &figures, const at::Tensor &mask, const objective_options &o) {
      return m2po_mask(at::zeros_like(figures), figures, mask, o.m2po_tau);
    },
    [](objective_inputs &i, const at::Tensor &kept) {
      i.keep = kept.to(i.mask.device()).logical_or(i.mask.eq(0));  // what is outside the mask is not "masked"
    }};

const token_transform whitened_advantages{
    "whitened_advantages", [](const objective_inputs &i) { return i.advantages; },
    [](const at::Tensor &figures, const at::Tensor &mask, const objective_options &) {
      return whiten(figures.to(at::kDouble), mask.to(at::kDouble));
    },
    [](objective_inputs &i, const at::Tensor &white) {
      i.advantages = white.to(i.advantages.device(), i.advantages.scalar_type());
    }};

std::vector<const token_transform *> token_transforms_of(const objective_options &options) {
  std::vector<const token_transform *> wanted;
  if (options.m2po_tau > 0) wanted.push_back(&second_moment_mask);
  return wanted;
}

}  // namespace slipstream
