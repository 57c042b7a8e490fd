// ZeRO-3: a rank keeps its shard of parameters, gradient and moments. Rank 0 has the newest version as a
// whole beside it, on the CPU.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <stdexcept>

#include "runtime/learning/parameter_stores.hpp"

namespace slipstream {
namespace {

class sharded_store : public parameter_store {
 public:
  sharded_store(storage_options options, const transformer &initial)
      : parameter_store(std::move(options), true) {
    const auto device = options_.device.empty() ? initial.flat().device().str() : options_.device;
    shards_ = std::make_shared<sharded_model>(options_.ranks, initial, device, true);
    if (rank() == 0) whole_ = std::make_shared<const transformer>(initial);
    set_tensors(shards_->parameters(), shards_->gradient(),
                shards_->part_of(decay_mask(initial)).to(shards_->parameters().device()));
    moments_ = fresh_adamw(parameters_);
  }

  const transformer &network() const override { return shards_->network(); }
  void begin_pass(bool backward) override { shards_->begin_pass(backward); }
  void end_pass() override { shards_->end_pass(); }
  void idle_pass(bool backward) override { shards_->idle_pass(backward); }
  constant_model frozen() const override {
    return constant_model(std::make_shared<const transformer>(shards_->network()), shards_);
  }
  constant_model hold(const std::shared_ptr<const transformer> &other) const override {
    const auto shards = std::make_shared<sharded_model>(options_.ranks, *other, device().str(), false);
    return constant_model(std::make_shared<const transformer>(shards->network()), shards);
  }
  double gradient_norm() const override {
    const double own = parameter_store::gradient_norm();
    double squares = 0;
    for (const auto &each : options_.ranks->gather(at::full({1}, own, at::kDouble))) {
      const auto norm = each.item<double>();
      squares += norm * norm;
    }
    return std::sqrt(squares);
  }

  const transformer &model() const override {
    if (!whole_) throw std::logic_error("this rank has a part of the model alone");
    return *whole_;
  }
  std::shared_ptr<const transformer> publish() override {
    if (!whole_) {
      shards_->collect(parameters_, {});
      return nullptr;
    }
    auto result = unused(published_, *whole_);
    shards_->collect(parameters_, result->trainable());
    whole_ = result;
    return result;
  }
  bool has_all_moments() const override { return false; }
  adamw_state moments() override {
    const at::NoGradGuard constant;
    adamw_state whole;
    if (whole_) whole = {at::empty_like(whole_->flat()), at::empty_like(whole_->flat()), moments_.step};
    for (const auto member : {&adamw_state::m, &adamw_state::v})
      shards_->collect(moments_.*member, whole.*member);
    return whole;
  }

 protected:
  adamw_state moments_from_first(const adamw_state *whole) const override {
    auto kept = fresh_adamw(parameters_);
    for (const auto member : {&adamw_state::m, &adamw_state::v})
      shards_->deal(whole ? whole->*member : at::Tensor(), kept.*member);
    return kept;
  }

 private:
  std::shared_ptr<sharded_model> shards_;
  std::shared_ptr<const transformer> whole_;  ///< of rank 0
  std::vector<std::shared_ptr<const transformer>> published_;
};

}  // namespace

std::unique_ptr<parameter_store> make_sharded_store(storage_options options, const transformer &initial) {
  return std::make_unique<sharded_store>(std::move(options), initial);
}

}  // namespace slipstream
