#include "runtime/learning/parameter_store.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "models/error.hpp"

namespace slipstream {

parameter_store::parameter_store(storage_options options, bool sharded)
    : options_(std::move(options)), sharded_(sharded) {}

void parameter_store::set_tensors(at::Tensor parameters, at::Tensor gradient, at::Tensor decays) {
  parameters_ = std::move(parameters);
  gradient_ = std::move(gradient);
  decays_ = std::move(decays);
}

void parameter_store::backward(const at::Tensor &loss, bool /*last*/) {
  loss.backward();
}

double parameter_store::gradient_norm() const {
  return slipstream::gradient_norm(gradient_);
}

void parameter_store::step(double rate, double scale) {
  const at::NoGradGuard no_gradients;
  const auto [first, count] = own_moments();
  const auto part = [first = first, count = count](const at::Tensor &flat) {
    return flat.narrow(0, first, count);
  };
  adamw_step(part(parameters_), part(gradient_), moments_, options_.optimizer, rate, scale, part(decays_));
  share_step();
  gradient_.zero_();
}

void parameter_store::clear_gradient() {
  const at::NoGradGuard no_gradients;
  gradient_.zero_();
}

void parameter_store::keep_state() {
  const at::NoGradGuard no_gradients;
  kept_ = parameters_.detach().clone();
  kept_moments_ = moments_;
  kept_moments_.m = moments_.m.clone();
  kept_moments_.v = moments_.v.clone();
}

void parameter_store::roll_back() {
  const at::NoGradGuard no_gradients;
  parameters_.copy_(kept_);
  moments_.step = kept_moments_.step;
  moments_.m.copy_(kept_moments_.m);
  moments_.v.copy_(kept_moments_.v);
}

void parameter_store::set_moments(const adamw_state *whole, std::int64_t step) {
  const at::NoGradGuard constant;
  if (rank() == 0 && !whole) throw run_error("rank 0 goes on without the moments of its optimizer");
  moments_ = moments_from_first(whole);
  moments_.step = step;
}

std::shared_ptr<const transformer> parameter_store::unused(
    std::vector<std::shared_ptr<const transformer>> &pool, const transformer &like) {
  const auto found =
      std::find_if(pool.begin(), pool.end(), [](const auto &buffer) { return buffer.use_count() == 1; });
  if (found !=
      pool.end())  // another network over the same buffer: what the old one has packed is of old values
    return *found = std::make_shared<const transformer>(like.with_trainable((*found)->trainable()));
  pool.push_back(std::make_shared<const transformer>(like.with_trainable(at::empty_like(like.trainable()))));
  return pool.back();
}

}  // namespace slipstream
