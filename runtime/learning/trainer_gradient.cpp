#include <ATen/ATen.h>

#include <limits>
#include <utility>

#include "runtime/learning/trainer.hpp"

namespace slipstream {

batch_gradient trainer::gradient(const std::vector<sample_group_ptr> &given) {
  if (parts_ && needs_target())
    throw run_error("with zero = 3 there is no gradient of a critic that learns by V-trace");
  if (parts_) {  // rank 0 has all of the model as it was published
    auto options = options_;
    options.group = nullptr, options.replicas = 1, options.device.clear();
    options.reference = whole_reference_;
    trainer alone(options, model());
    alone.version_ = version_;
    return alone.gradient(given);
  }
  // all of it here: what the others would do of it would have to be added up group by group
  const auto group_kept = std::exchange(options_.group, nullptr);
  const auto batch = whitened(given, options_.whiten_over);
  mini_batches_.clear();
  denominators totals;
  for (const auto &group : batch) {  // a group is a mini-batch here, so that its gradient can be told apart
    std::vector<const sample *> samples;
    for (const auto &entry : group->samples) samples.push_back(&entry);
    add_mini_batch(samples);
    totals += mini_batches_.back().totals;
  }
  if (options_.loss.m2po_tau > 0 || options_.vtrace) {
    for (auto &group : mini_batches_)
      for (std::size_t i = 0; i < group.parts.size(); ++i) anchor(group, i);
    end_first_pass();
  }
  batch_gradient result{at::zeros_like(gradient_), 0, 0};
  double squares = 0;  // of the groups' norms
  for (auto &group : mini_batches_) {
    gradient_.zero_();
    for (std::size_t i = 0; i < group.parts.size(); ++i) {
      refer(group, i);
      add_gradient(group.parts[i], totals, false);
    }
    const double norm = gradient_norm(gradient_);
    squares += norm * norm;
    result.sum.add_(gradient_);
  }
  mini_batches_.clear();
  gradient_.zero_();
  options_.group = group_kept;
  result.norm = gradient_norm(result.sum);
  // The batch's gradient is the sum of n parts, so their covariance counts n times.
  const auto n = static_cast<double>(batch.size());
  result.variance = n < 2 ? std::numeric_limits<double>::quiet_NaN()
                          : n / (n - 1) * std::max(squares - result.norm * result.norm / n, 0.0);
  return result;
}

}  // namespace slipstream
