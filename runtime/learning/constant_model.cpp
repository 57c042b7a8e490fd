#include "runtime/learning/constant_model.hpp"

#include <ATen/core/grad_mode.h>

namespace slipstream {

at::Tensor constant_model::logprobs(const token_batch &tokens, double temperature) const {
  const at::NoGradGuard no_gradients;
  if (shards_) shards_->begin_pass(false);
  auto result = batch_logprobs(*network_, tokens, temperature).logprobs;
  if (shards_) shards_->end_pass();
  return result;
}

void constant_model::idle_pass() const {
  if (shards_) shards_->idle_pass(false);
}

}  // namespace slipstream
