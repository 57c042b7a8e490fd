#include "runtime/learning/gradient_reducer.hpp"

#include <ATen/ATen.h>
#include <torch/csrc/autograd/functions/accumulate_grad.h>

#include <algorithm>
#include <set>
#include <type_traits>
#include <utility>

namespace slipstream {
namespace {

using torch::autograd::AccumulateGrad;
using torch::autograd::Node;
/// A shared or an intrusive pointer, depending on the version of LibTorch.
using node_pointer = std::decay_t<decltype(std::declval<const at::Tensor &>().grad_fn())>;

/// Calls back once a leaf has its gradient.
struct arrival_hook : torch::autograd::FunctionPostHook {
  explicit arrival_hook(std::function<void()> given) : act(std::move(given)) {}
  torch::autograd::variable_list operator()(const torch::autograd::variable_list &outputs,
                                            const torch::autograd::variable_list &) override {
    act();
    return outputs;
  }
  std::function<void()> act;
};

/// The leaves that a backward pass from `loss` reaches.
std::vector<node_pointer> leaves_of(const at::Tensor &loss) {
  std::vector<node_pointer> open, leaves;
  std::set<const Node *> seen;
  const auto visit = [&](const node_pointer &node) {
    if (node && seen.insert(node.get()).second) open.push_back(node);
  };
  visit(loss.grad_fn());
  while (!open.empty()) {
    const auto node = open.back();
    open.pop_back();
    if (dynamic_cast<const AccumulateGrad *>(node.get())) leaves.push_back(node);
    for (const auto &edge : node->next_edges()) visit(edge.function);
  }
  return leaves;
}

at::Tensor gradient_of(const Node &leaf) {
  return dynamic_cast<const AccumulateGrad &>(leaf).variable.grad();
}

}  // namespace

gradient_reducer::gradient_reducer(std::shared_ptr<process_group> ranks, at::Tensor gradient,
                                   std::int64_t bucket)
    : ranks_(std::move(ranks)),
      gradient_(std::move(gradient)),
      bucket_(bucket),
      missing_(static_cast<std::size_t>((gradient_.numel() + bucket - 1) / bucket)) {}

/// Calls `act` with each bucket that a leaf lies in and how many of its elements do.
void gradient_reducer::each_bucket(const at::Tensor &leaf_gradient,
                                   const std::function<void(std::size_t, std::int64_t)> &act) {
  const auto first = leaf_gradient.storage_offset() - gradient_.storage_offset();
  const auto end = first + leaf_gradient.numel();
  for (auto begin = first; begin < end;) {
    const auto index = begin / bucket_;
    const auto stop = std::min(end, (index + 1) * bucket_);
    act(missing_.size() - 1 - static_cast<std::size_t>(index), stop - begin);
    begin = stop;
  }
}

void gradient_reducer::expect(const at::Tensor &leaf_gradient) {
  each_bucket(leaf_gradient, [this](std::size_t bucket, std::int64_t count) { missing_[bucket] += count; });
}

void gradient_reducer::arrived(const at::Tensor &leaf_gradient) {
  each_bucket(leaf_gradient, [this](std::size_t bucket, std::int64_t count) { missing_[bucket] -= count; });
  const auto before = next_;
  start_ready();
  started_early_ += static_cast<std::int64_t>(next_ - before);
}

void gradient_reducer::start_ready() {
  for (; next_ < missing_.size() && missing_[next_] == 0; ++next_) {
    const auto begin = static_cast<std::int64_t>(missing_.size() - 1 - next_) * bucket_;
    ranks_->start_sum(gradient_.narrow(0, begin, std::min(bucket_, gradient_.numel() - begin)));
  }
}

void gradient_reducer::backward(const at::Tensor &loss) {
  started_early_ = 0;
  std::vector<std::pair<node_pointer, std::uintptr_t>> hooks;
  for (const auto &leaf : leaves_of(loss)) {
    const auto gradient = gradient_of(*leaf);
    // what trains lies in the flat buffer; a leaf outside of it is not the learner's
    if (!gradient.defined() || !gradient.is_alias_of(gradient_)) continue;
    expect(gradient);
    hooks.emplace_back(
        leaf, leaf->add_post_hook(std::make_unique<arrival_hook>([this, gradient] { arrived(gradient); })));
  }
  loss.backward();
  for (const auto &[leaf, hook] : hooks) leaf->del_post_hook(hook);
  start_rest();
}

void gradient_reducer::start_rest() {
  std::fill(missing_.begin(), missing_.end(), 0);
  start_ready();
}

void gradient_reducer::finish() {
  ranks_->wait();
  next_ = 0;
}

}  // namespace slipstream
