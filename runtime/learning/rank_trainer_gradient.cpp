// A batch's gradient by itself, of which nothing moves.
#include <ATen/ATen.h>

#include <algorithm>
#include <limits>

#include "models/error.hpp"
#include "runtime/learning/rank_trainer.hpp"

namespace slipstream {

/// Adds up what each rollout group's samples give, one mini-batch a group.
void rank_trainer::group_gradients(std::vector<mini_batch> &groups, batch_gradient &result) {
  denominators totals;
  for (const auto &group : groups) totals += group.sampled.totals;
  double squares = 0;  // of the groups' norms
  for (auto &group : groups) {
    store_->clear_gradient();
    for (std::size_t i = 0; i < group.sampled.own.size(); ++i) {
      add_reference_logprobs(group.sampled, i);
      add_gradient(group.sampled.own[i], totals, false);
    }
    const double norm = gradient_norm(store_->gradient());
    squares += norm * norm;
    result.sum.add_(store_->gradient());
  }
  store_->clear_gradient();
  result.norm = gradient_norm(result.sum);
  // The batch's gradient is the sum of n groups', so their covariance counts n times.
  const auto n = static_cast<double>(groups.size());
  result.variance = n < 2 ? std::numeric_limits<double>::quiet_NaN()
                          : n / (n - 1) * std::max(squares - result.norm * result.norm / n, 0.0);
}

batch_gradient rank_trainer::gradient(const sample_groups &given) {
  if (ranks_.ranks() > 1) {  // what the others would do of it would have to be added up group by group
    if (store_->is_sharded() && needs_target_policy())
      throw run_error("with zero = 3 there is no gradient of a critic whose returns are of another policy");
    auto options = options_;
    options.ranks = nullptr, options.replicas = 1, options.device.clear();
    options.reference = whole_reference_;
    rank_trainer alone(options, model());
    alone.version_ = version_;
    if (whole_target_) alone.set_target_policy(whole_target_);
    return alone.gradient(given);
  }
  const auto batch = transformed(given);
  mini_batches_.clear();
  for (const auto &group : batch) {  // a mini-batch each, so that its gradient can be told apart
    std::vector<const sample *> samples;
    for (const auto &entry : group->samples) samples.push_back(&entry);
    mini_batches_.push_back(cut_samples(samples, *options_.objective, how_to_cut()));
  }
  if (transforms_need_proximal()) {
    for (auto &group : mini_batches_)
      for (std::size_t i = 0; i < group.sampled.own.size(); ++i) add_proximal_logprobs(group.sampled, i);
    end_first_pass();
  }
  batch_gradient result{at::zeros_like(store_->gradient()), 0, 0};
  group_gradients(mini_batches_, result);
  mini_batches_.clear();
  return result;
}

}  // namespace slipstream
