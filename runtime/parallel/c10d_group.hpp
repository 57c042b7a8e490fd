#pragma once

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <torch/csrc/distributed/c10d/Store.hpp>
#include <torch/csrc/distributed/c10d/Types.hpp>
#include <torch/csrc/distributed/c10d/Work.hpp>
#include <utility>

#include "runtime/parallel/process_group.hpp"

namespace slipstream {

struct meeting_point {
  c10::intrusive_ptr<c10d::Store> store;
};

/// gloo.cpp and nccl.cpp define these functions; the stubs that stand in for them throw instead.
bool has_gloo();
bool has_nccl();
std::shared_ptr<process_group> gloo_group(const meeting_point &where, const process_group_options &options);
std::shared_ptr<process_group> nccl_group(const meeting_point &where, const process_group_options &options);

/// A process_group over one of c10d's groups, which have no common base in all versions of LibTorch.
template <class Group>
class c10d_group : public process_group {
 public:
  c10d_group(c10::intrusive_ptr<Group> group, const process_group_options &options)
      : process_group(options.rank, options.size), group_(std::move(group)), device_(options.device) {}

  void start_sum(const at::Tensor &values) override {
    std::vector<at::Tensor> one{values};
    begin([&] { return group_->allreduce(one); });
  }

  void start_reduce(const at::Tensor &values, std::int64_t root) override {
    std::vector<at::Tensor> one{values};
    c10d::ReduceOptions to;
    to.rootRank = static_cast<decltype(to.rootRank)>(root);
    begin([&] { return group_->reduce(one, to); });
  }

  void start_broadcast(const at::Tensor &values, std::int64_t root) override {
    std::vector<at::Tensor> one{values};
    c10d::BroadcastOptions from;
    from.rootRank = static_cast<decltype(from.rootRank)>(root);
    begin([&] { return group_->broadcast(one, from); });
  }

  std::function<void()> take_begun() override {
    return [this, begun = std::exchange(begun_, {})] {
      for (const auto &work : begun) tried([&] { return work->wait(); });
    };
  }

  std::vector<at::Tensor> gather(const at::Tensor &own) override {
    const auto counts = gather_equal(at::full({1}, own.numel(), at::kLong));
    std::int64_t most = 0;
    for (const auto &count : counts) most = std::max(most, count.template item<std::int64_t>());
    if (most == 0) return std::vector<at::Tensor>(counts.size(), own.cpu());
    auto padded = at::zeros({most}, own.options());
    padded.narrow(0, 0, own.numel()).copy_(own);
    auto all = gather_equal(padded);
    for (std::size_t i = 0; i < all.size(); ++i)
      all[i] = all[i].narrow(0, 0, counts[i].template item<std::int64_t>());
    return all;
  }

 protected:
  const c10::intrusive_ptr<Group> &group() const { return group_; }

 private:
  std::vector<at::Tensor> gather_equal(const at::Tensor &own) {
    std::vector<at::Tensor> in{own.to(at::Device(device_)).contiguous()};
    std::vector<std::vector<at::Tensor>> out(1);
    for (std::int64_t i = 0; i < size(); ++i) out[0].push_back(at::empty_like(in[0]));
    tried([&] { return group_->allgather(out, in)->wait(); });
    for (auto &tensor : out[0]) tensor = tensor.cpu();
    return out[0];
  }

  /// Called with every operation that is begun.
  virtual void begun(c10d::Work &) {}
  template <class Act>
  void begin(const Act &act) {
    begun_.push_back(tried(act));
    begun(*begun_.back());
  }
  template <class Act>
  auto tried(const Act &act) const {
    try {
      return act();
    } catch (const std::exception &problem) {
      throw rank_lost(
          fmt::format("rank {} of {} waits for another in vain: {}", rank(), size(), problem.what()));
    }
  }

  c10::intrusive_ptr<Group> group_;
  std::string device_;
  std::vector<c10::intrusive_ptr<c10d::Work>> begun_;
};

}  // namespace slipstream
