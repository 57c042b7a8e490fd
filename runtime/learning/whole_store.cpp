// Parameters and gradient as a whole in each rank. With several ranks the gradients are added up; the moments
// are whole, too; with ZeRO-1 each rank has a shard of them.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <utility>

#include "models/network/place.hpp"
#include "runtime/learning/gradient_reducer.hpp"
#include "runtime/learning/parameter_stores.hpp"

namespace slipstream {
namespace {

class whole_store : public parameter_store {
 public:
  whole_store(storage_options options, const transformer &initial)
      : parameter_store(std::move(options), false), network_(initial) {
    set_tensors(initial.trainable().clone(), at::zeros_like(initial.trainable()), decay_mask(initial));
    network_ = initial.with_trainable(parameters_);
    network_.train_into(gradient_);
    if (options_.ranks)
      reducer_ = std::make_unique<gradient_reducer>(options_.ranks, gradient_, options_.bucket);
    moments_ = fresh_adamw(parameters_);
  }

  const transformer &network() const override { return network_; }
  void backward(const at::Tensor &loss, bool last) override {
    if (last && reducer_)
      reducer_->backward(loss);
    else
      loss.backward();
  }
  void no_backward() override {
    if (reducer_) reducer_->start_rest();
  }
  constant_model frozen() const override {
    return constant_model(std::make_shared<const transformer>(network_));
  }
  constant_model hold(const std::shared_ptr<const transformer> &other) const override {
    return constant_model(place(other, device().str(), other->mode()));
  }
  void finish_gradient() override {
    if (reducer_) reducer_->finish();
  }

  const transformer &model() const override { return network_; }
  std::shared_ptr<const transformer> publish() override {
    if (rank() != 0) return nullptr;
    auto result = unused(published_, network_);
    auto buffer = result->trainable();
    buffer.copy_(parameters_);
    return result;
  }
  adamw_state moments() override { return moments_; }

 protected:
  adamw_state moments_from_first(const adamw_state *whole) const override {
    adamw_state kept;
    for (const auto member : {&adamw_state::m, &adamw_state::v}) {
      kept.*member = whole ? (whole->*member).to(parameters_.options(), false, true)
                           : at::empty({parameters_.numel()}, parameters_.options());
      if (!options_.ranks) continue;
      options_.ranks->start_broadcast(kept.*member, 0);
      options_.ranks->wait();
    }
    return kept;
  }

 private:
  transformer network_;
  std::unique_ptr<gradient_reducer> reducer_;  ///< of several ranks
  std::vector<std::shared_ptr<const transformer>> published_;
};

/// ZeRO-1: a rank takes the optimizer's step on its shard of the parameters; then every rank gets the
/// others'.
class zero1_store : public whole_store {
 public:
  zero1_store(storage_options options, const transformer &initial)
      : whole_store(std::move(options), initial) {
    const auto [first, count] = shard_of(rank());
    moments_ = fresh_adamw(parameters_.narrow(0, first, count));
  }

  bool has_all_moments() const override { return false; }
  /// Only rank 0 gets the whole; no other rank holds more than two shards at a time.
  adamw_state moments() override {
    const at::NoGradGuard constant;
    adamw_state whole;
    if (rank() == 0) whole = {at::empty_like(parameters_), at::empty_like(parameters_), moments_.step};
    for (const auto member : {&adamw_state::m, &adamw_state::v})
      for (std::int64_t from = 0; from < ranks(); ++from) {
        const auto [first, count] = shard_of(from);
        const auto part = from == rank() ? moments_.*member : at::empty({count}, parameters_.options());
        options_.ranks->start_broadcast(part, from);
        options_.ranks->wait();
        if (rank() == 0) (whole.*member).narrow(0, first, count).copy_(part);
      }
    return whole;
  }

 protected:
  std::pair<std::int64_t, std::int64_t> own_moments() const override { return shard_of(rank()); }
  void share_step() override {
    for (std::int64_t from = 0; from < ranks(); ++from) {
      const auto [first, count] = shard_of(from);
      options_.ranks->start_broadcast(parameters_.narrow(0, first, count), from);
    }
    options_.ranks->wait();
  }
  adamw_state moments_from_first(const adamw_state *whole) const override {
    adamw_state kept;
    for (const auto member : {&adamw_state::m, &adamw_state::v})
      for (std::int64_t to = 0; to < ranks(); ++to) {
        const auto [first, count] = shard_of(to);
        const auto part =
            whole ? (whole->*member).narrow(0, first, count).to(parameters_.options(), false, true)
                  : at::empty({count}, parameters_.options());
        options_.ranks->start_broadcast(part, 0);
        options_.ranks->wait();
        if (to == rank()) kept.*member = part;
      }
    return kept;
  }

 private:
  std::pair<std::int64_t, std::int64_t> shard_of(std::int64_t rank) const {
    const auto all = parameters_.numel();
    const auto first = all * rank / ranks();
    return {first, all * (rank + 1) / ranks() - first};
  }
};

}  // namespace

at::Tensor decay_mask(const transformer &model) {
  auto mask = at::zeros({model.trainable().numel()}, at::kBool);
  for (const auto &slot : model.trainable_layout())
    if (slot.shape.size() >= 2) mask.narrow(0, slot.offset, slot.count()).fill_(true);
  return mask.to(model.trainable().device());
}

std::unique_ptr<parameter_store> make_whole_store(storage_options options, const transformer &initial) {
  if (options.ranks && options.zero == 1) return std::make_unique<zero1_store>(std::move(options), initial);
  return std::make_unique<whole_store>(std::move(options), initial);
}

std::unique_ptr<parameter_store> make_parameter_store(storage_options options, const transformer &initial) {
  if (options.ranks && options.zero == 3) return make_sharded_store(std::move(options), initial);
  return make_whole_store(std::move(options), initial);
}

}  // namespace slipstream
