#include "models/objectives/supervised.hpp"

#include <ATen/ATen.h>

namespace slipstream {

at::Tensor label_logprobs(const at::Tensor &logits, const at::Tensor &labels) {
  const auto ignored = labels.eq(-100);
  const auto picked = logits.log_softmax(-1).gather(-1, labels.masked_fill(ignored, 0).unsqueeze(-1));
  return picked.squeeze(-1).masked_fill(ignored, 0);
}

at::Tensor token_entropy(const at::Tensor &logits) {
  const auto logp =
      logits.log_softmax(-1).clamp_min(-1e4);  // a probability of 0 times -infinity would be NaN
  return (logp.exp() * logp).sum(-1).neg();
}

at::Tensor label_mask(const at::Tensor &labels, const at::Tensor &like) {
  return labels.ne(-100).to(like.scalar_type());
}

at::Tensor bradley_terry(const at::Tensor &chosen, const at::Tensor &rejected, const at::Tensor &margin,
                         double centring) {
  const auto difference = margin.defined() ? chosen - rejected - margin : chosen - rejected;
  const auto loss = at::log_sigmoid(difference).neg();
  return centring == 0 ? loss : loss + (chosen + rejected).square() * centring;
}

dpo_terms dpo(const at::Tensor &policy_chosen, const at::Tensor &policy_rejected,
              const at::Tensor &reference_chosen, const at::Tensor &reference_rejected, double beta,
              double label_smoothing) {
  const auto margin = ((policy_chosen - reference_chosen) - (policy_rejected - reference_rejected)) * beta;
  auto loss = at::log_sigmoid(margin) * (label_smoothing - 1);
  if (label_smoothing != 0) loss = loss - at::log_sigmoid(margin.neg()) * label_smoothing;
  return {loss, margin.detach()};
}

}  // namespace slipstream
