#include "runtime/learning/sharded_model.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <stdexcept>
#include <utility>
#include <vector>

#include "runtime/learning/shard_units.hpp"

namespace slipstream {

class sharded_model::impl : public layer_residency {
 public:
  impl(std::shared_ptr<process_group> ranks, const transformer &whole, const std::string &device, bool trains)
      : ranks_(std::move(ranks)), units_(shard_units(whole.spec())), device_(device), trains_(trains) {
    std::int64_t own = 0;
    for (auto &each : units_) {
      each.own_first = own;
      own += part(each).second;
    }
    own_ = part_of(whole.flat()).to(device_);
    if (trains_) own_gradient_ = at::zeros_like(own_);
  }

  std::vector<parameter_piece> pieces() {
    std::vector<parameter_piece> pieces;
    for (auto &each : units_) {
      each.values = memory_pool::without_memory(each.count, own_.options());
      if (trains_) each.gradient = memory_pool::without_memory(each.count, own_.options());
      pieces.push_back({each.first, each.values, each.gradient});
    }
    return pieces;
  }

  void begin_pass(bool backward) {
    if (backward && !trains_) throw std::logic_error("this model has no gradient");
    const at::NoGradGuard constant;
    backward_ = backward;
    for (auto *each : {&units_.front(), &units_.back()}) {
      start_gather(*each);
      if (!backward) continue;
      pool_.fill(each->gradient);
      each->gradient.zero_();
    }
    start_gather(unit_of(0));
    for (auto *each : {&units_.front(), &units_.back()}) await(*each);
  }

  void enter(std::int64_t layer, bool backward) override {
    const at::NoGradGuard constant;
    auto &own = unit_of(layer);
    if (!own.here && !own.arriving) start_gather(own);
    await(own);
    const auto next = backward ? layer - 1 : layer + 1;
    if (next >= 0 && next < layers() && !unit_of(next).here) start_gather(unit_of(next));
    if (!backward) return;
    pool_.fill(own.gradient);
    own.gradient.zero_();
  }

  void leave(std::int64_t layer, bool backward) override {
    const at::NoGradGuard constant;
    auto &own = unit_of(layer);
    const bool first_on_the_way_back = backward_ && !backward && layer + 1 == layers();
    if (!first_on_the_way_back) drop(own);
    if (!backward) return;
    start_reduce(own);
    if (layer + 1 < layers()) finish_reduce(unit_of(layer + 1));
  }

  void end_pass() {
    const at::NoGradGuard constant;
    for (auto *each : {&units_.front(), &units_.back()}) {
      drop(*each);
      if (backward_) start_reduce(*each);
    }
    if (!backward_) return;
    finish_reduce(unit_of(0));
    for (auto *each : {&units_.front(), &units_.back()}) finish_reduce(*each);
  }

  void idle_pass(bool backward) {
    begin_pass(backward);
    for (std::int64_t layer = 0; layer < layers(); ++layer) {
      enter(layer, false);
      leave(layer, false);
    }
    for (auto layer = layers() - 1; backward && layer >= 0; --layer) {
      enter(layer, true);
      leave(layer, true);
    }
    end_pass();
  }

  at::Tensor part_of(const at::Tensor &whole, std::int64_t rank) const {
    std::vector<at::Tensor> parts;
    for (const auto &each : units_) {
      const auto [begin, count] = each.part(rank, ranks_->size());
      parts.push_back(whole.narrow(0, each.first + begin, count));
    }
    return at::cat(parts);
  }
  at::Tensor part_of(const at::Tensor &whole) const { return part_of(whole, ranks_->rank()); }

  void collect(const at::Tensor &part, const at::Tensor &whole) const {
    for (std::int64_t rank = 0; rank < ranks_->size(); ++rank) {
      const auto theirs = rank == ranks_->rank() ? part : at::empty({count_of(rank)}, part.options());
      ranks_->start_broadcast(theirs, rank);
      ranks_->wait();
      if (!whole.defined()) continue;
      std::int64_t next = 0;
      for (const auto &each : units_) {
        const auto [begin, count] = each.part(rank, ranks_->size());
        whole.narrow(0, each.first + begin, count).copy_(theirs.narrow(0, next, count));
        next += count;
      }
    }
  }

  void deal(const at::Tensor &whole, const at::Tensor &part) const {
    for (std::int64_t rank = 0; rank < ranks_->size(); ++rank) {
      const auto theirs = whole.defined()          ? part_of(whole, rank).to(part.options())
                          : rank == ranks_->rank() ? part
                                                   : at::empty({count_of(rank)}, part.options());
      ranks_->start_broadcast(theirs, 0);
      ranks_->wait();
      if (rank == ranks_->rank() && whole.defined()) part.copy_(theirs);
    }
  }

  std::int64_t bytes() const {
    const auto own = own_.numel() * own_.element_size() * (trains_ ? 2 : 1);
    return static_cast<std::int64_t>(own) + static_cast<std::int64_t>(pool_.held());
  }

  const at::Tensor &parameters() const { return own_; }
  const at::Tensor &gradient() const { return own_gradient_; }

 private:
  std::int64_t layers() const { return static_cast<std::int64_t>(units_.size()) - 2; }
  shard_unit &unit_of(std::int64_t layer) { return units_[static_cast<std::size_t>(layer) + 1]; }
  std::pair<std::int64_t, std::int64_t> part(const shard_unit &of) const {
    return of.part(ranks_->rank(), ranks_->size());
  }
  std::int64_t count_of(std::int64_t rank) const {
    std::int64_t sum = 0;
    for (const auto &each : units_) sum += each.part(rank, ranks_->size()).second;
    return sum;
  }
  at::Tensor own(const at::Tensor &flat, const shard_unit &of) const {
    return flat.narrow(0, of.own_first, part(of).second);
  }

  void start_gather(shard_unit &of) {
    pool_.fill(of.values);
    const auto [begin, count] = part(of);
    of.values.narrow(0, begin, count).copy_(own(own_, of));
    for (std::int64_t rank = 0; rank < ranks_->size(); ++rank) {
      const auto [first, size] = of.part(rank, ranks_->size());
      if (size > 0) ranks_->start_broadcast(of.values.narrow(0, first, size), rank);
    }
    of.arriving = ranks_->take_begun();
  }
  static void await(shard_unit &of) {
    if (of.arriving) std::exchange(of.arriving, nullptr)();
    of.here = true;
  }
  void drop(shard_unit &of) {
    pool_.drop(of.values);
    of.here = false;
  }

  void start_reduce(shard_unit &of) {
    for (std::int64_t rank = 0; rank < ranks_->size(); ++rank) {
      const auto [first, size] = of.part(rank, ranks_->size());
      if (size > 0) ranks_->start_reduce(of.gradient.narrow(0, first, size), rank);
    }
    of.reducing = ranks_->take_begun();
  }
  void finish_reduce(shard_unit &of) {
    std::exchange(of.reducing, nullptr)();
    const auto [begin, count] = part(of);
    own(own_gradient_, of).add_(of.gradient.narrow(0, begin, count));
    pool_.drop(of.gradient);
  }

  std::shared_ptr<process_group> ranks_;
  std::vector<shard_unit> units_;  ///< what is before the layers, each layer, what is behind them
  at::Device device_;
  bool trains_, backward_ = false;
  at::Tensor own_, own_gradient_;
  memory_pool pool_;
};

sharded_model::sharded_model(std::shared_ptr<process_group> ranks, const transformer &whole,
                             const std::string &device, bool trains)
    : impl_(std::make_shared<impl>(std::move(ranks), whole, device, trains)),
      network_(whole.spec(), impl_->pieces(), impl_, whole.mode()) {}

const at::Tensor &sharded_model::parameters() const {
  return impl_->parameters();
}
const at::Tensor &sharded_model::gradient() const {
  return impl_->gradient();
}
void sharded_model::begin_pass(bool backward) {
  impl_->begin_pass(backward);
}
void sharded_model::end_pass() {
  impl_->end_pass();
}
void sharded_model::idle_pass(bool backward) {
  impl_->idle_pass(backward);
}
at::Tensor sharded_model::part_of(const at::Tensor &whole) const {
  return impl_->part_of(whole);
}
void sharded_model::collect(const at::Tensor &part, const at::Tensor &whole) const {
  impl_->collect(part, whole);
}
void sharded_model::deal(const at::Tensor &whole, const at::Tensor &part) const {
  impl_->deal(whole, part);
}
std::int64_t sharded_model::bytes() const {
  return impl_->bytes();
}

}  // namespace slipstream
