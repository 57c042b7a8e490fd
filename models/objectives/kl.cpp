#include "models/objectives/kl.hpp"

#include <ATen/ATen.h>

#include <algorithm>

namespace slipstream {
namespace {

/// exp(-d) - 1 + d without the cancellation of a plain exp near 0.
at::Tensor k3(const at::Tensor &d) {
  return d.neg().expm1() + d;
}
at::Tensor k2(const at::Tensor &d) {
  return d.square() * 0.5;
}

at::Tensor masked_difference(const at::Tensor &a, const at::Tensor &b, const at::Tensor &mask) {
  return (a - b).masked_fill(mask.eq(0), 0);  // before exp: garbage at masked places must not overflow
}

}  // namespace

at::Tensor kl_per_token(const at::Tensor &logp, const at::Tensor &reference, const at::Tensor &mask,
                        kl_estimator how) {
  const auto d = masked_difference(logp, reference, mask);
  switch (how) {
    case kl_estimator::k1:
      return d;
    case kl_estimator::k2:
      return k2(d);
    case kl_estimator::k3:
      return k3(d);
    default: {
      const auto gradient = k2(d);
      return gradient + (k3(d) - gradient).detach();
    }
  }
}

at::Tensor kl_weight(const at::Tensor &logp, const at::Tensor &behaviour, const at::Tensor &mask,
                     double cap) {
  return masked_difference(logp.detach(), behaviour, mask).exp_().clamp_max_(cap);
}

at::Tensor sequence_kl(const at::Tensor &logp, const at::Tensor &reference, const at::Tensor &mask,
                       kl_estimator how) {
  return kl_per_token(logp, reference, mask, how).sum(1);
}

double adapt_kl_coefficient(double coefficient, double kl, double target, double gain) {
  return coefficient * (1 + gain * std::clamp(kl / target - 1, -0.2, 0.2));
}

}  // namespace slipstream
