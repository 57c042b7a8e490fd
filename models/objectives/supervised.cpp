#include "models/objectives/supervised.hpp"

#include <ATen/ATen.h>

#include <limits>

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

at::Tensor davidson(const at::Tensor &difference, const at::Tensor &tie, const at::Tensor &log_nu) {
  const auto half = difference / 2, nu = log_nu.to(difference.scalar_type()).expand_as(difference);
  return at::logsumexp(at::stack({half, -half, nu}), 0) - at::where(tie, nu, half);
}

at::Tensor binary_cross_entropy(const at::Tensor &scores, const at::Tensor &labels, double positive_weight,
                                double label_smoothing) {
  const auto target = labels * (1 - label_smoothing) + label_smoothing / 2;
  return at::log_sigmoid(scores) * target * -positive_weight - at::log_sigmoid(-scores) * (1 - target);
}

at::Tensor plackett_luce(const at::Tensor &scores, const at::Tensor &present, bool per_place) {
  const auto places = scores.size(1);
  const auto later = at::ones({places, places}, present.options()).triu().unsqueeze(0);  // [1,K,K]
  const auto itself = at::eye(places, present.options()).unsqueeze(0);
  const auto left = (later & present.unsqueeze(1)) | itself;
  const auto open = scores.unsqueeze(1)
                        .expand({-1, places, -1})
                        .masked_fill(left.logical_not(), -std::numeric_limits<double>::infinity());
  const auto loss = (open.logsumexp(2) - scores).masked_fill(present.logical_not(), 0).sum(1);
  return per_place ? loss / (present.sum(1) - 1).clamp_min(1) : loss;
}

score_rows rows_of_lists(const at::Tensor &scores, const at::Tensor &places) {
  const auto column = places.to(at::kLong) - 1, row = column.eq(0).cumsum(0) - 1;
  const auto rows = row[-1].item<std::int64_t>() + 1, columns = column.max().item<std::int64_t>() + 1;
  const auto at = row * columns + column;
  return {
      at::zeros({rows * columns}, scores.options()).scatter(0, at, scores).view({rows, columns}),
      at::zeros({rows * columns}, at.options().dtype(at::kBool)).index_fill(0, at, 1).view({rows, columns})};
}

at::Tensor kto(const at::Tensor &log_ratio, const at::Tensor &labels, const at::Tensor &reference_point,
               const kto_options &options) {
  const auto good = labels.gt(0.5);
  const auto gained = (log_ratio - reference_point.detach()) * options.beta;
  return at::where(good, at::sigmoid(-gained) * options.lambda_good,
                   at::sigmoid(gained) * options.lambda_bad);
}

at::Tensor kto_reference_point(const at::Tensor &mismatched_log_ratio) {
  return mismatched_log_ratio.detach().mean().clamp_min(0);
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
