#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "models/network/transformer.hpp"
#include "models/objectives/optimizer.hpp"
#include "runtime/learning/constant_model.hpp"
#include "runtime/parallel/process_group.hpp"

namespace slipstream {

/// How a rank stores the trainable parameters.
struct storage_options {
  adamw_options optimizer;
  std::shared_ptr<process_group> ranks;  ///< null: there are no others
  std::int64_t zero = 0;                 ///< stage of ZeRO (arXiv:1910.02054): 0, 1 or 3
  std::string device{};                  ///< where this rank computes with ZeRO-3; empty: where the model is
  std::int64_t bucket = 1 << 20;         ///< elements of the gradient that are added up at once
};

/// Where the parameters that train, their gradient and the optimizer's moments live: all in this rank, the
/// moments in shards (ZeRO-1), or everything in shards (ZeRO-3). All ranks call the same members in the same
/// order, and all get the same weights, to the bit.
class parameter_store {
 public:
  virtual ~parameter_store() = default;
  parameter_store(const parameter_store &) = delete;
  parameter_store &operator=(const parameter_store &) = delete;

  // Passes, from begin_pass() to end_pass(); in between there are the parameters of network().
  virtual const transformer &network() const = 0;
  virtual void begin_pass(bool /*backward*/) {}
  virtual void end_pass() {}
  /// What a pass of the other ranks needs of one that has nothing to compute.
  virtual void idle_pass(bool /*backward*/) {}
  /// Adds a loss's gradient to this rank's. With its last one of an optimizer step the ranks begin to add
  /// theirs up; one that has none in this step says so instead.
  virtual void backward(const at::Tensor &loss, bool last);
  virtual void no_backward() {}
  /// The network as it is, without a gradient.
  virtual constant_model frozen() const = 0;
  /// Another model to compute with, kept as this one is.
  virtual constant_model hold(const std::shared_ptr<const transformer> &other) const = 0;

  // One optimizer step.
  /// Waits until the gradient is that of all ranks.
  virtual void finish_gradient() {}
  virtual double gradient_norm() const;
  /// Clears the gradient, too, which counts times `scale`.
  void step(double rate, double scale);
  void clear_gradient();
  std::int64_t steps() const { return moments_.step; }

  // What a guard rolls back to.
  void keep_state();
  void roll_back();

  // Checkpoints and versions.
  /// The newest version, whole. Throws logic_error in a rank that has a shard alone.
  virtual const transformer &model() const = 0;
  /// The weights in a buffer that is never written again and that nobody else holds; null in all ranks but
  /// the first.
  virtual std::shared_ptr<const transformer> publish() = 0;
  /// The optimizer's moments, whole in rank 0. With shards all ranks take part.
  virtual adamw_state moments() = 0;
  virtual bool has_all_moments() const { return true; }
  /// Goes on from moments that rank 0 has read, null in the others: they get theirs from it, so that no file
  /// and no message need hold them.
  void set_moments(const adamw_state *whole, std::int64_t step);

  at::Device device() const { return parameters_.device(); }
  /// This rank's.
  const at::Tensor &gradient() const { return gradient_; }
  bool is_sharded() const { return sharded_; }

 protected:
  parameter_store(storage_options options, bool sharded);

  std::int64_t rank() const { return options_.ranks ? options_.ranks->rank() : 0; }
  std::int64_t ranks() const { return options_.ranks ? options_.ranks->size() : 1; }
  void set_tensors(at::Tensor parameters, at::Tensor gradient, at::Tensor decays);
  /// The part of this rank's tensors that its moments are of: first, count.
  virtual std::pair<std::int64_t, std::int64_t> own_moments() const { return {0, parameters_.numel()}; }
  /// After own_moments() of the parameters took a step.
  virtual void share_step() {}
  virtual adamw_state moments_from_first(const adamw_state *whole) const = 0;
  /// A buffer of `pool` that nobody else holds, or a new one like `like`.
  static std::shared_ptr<const transformer> unused(std::vector<std::shared_ptr<const transformer>> &pool,
                                                   const transformer &like);

  storage_options options_;
  at::Tensor parameters_, gradient_, decays_;  ///< this rank's, flat
  adamw_state moments_;

 private:
  bool sharded_;
  at::Tensor kept_;
  adamw_state kept_moments_;
};

/// Keeps a copy of the trainable parameters of `initial`. Its numerics stay the same, and except with ZeRO-3
/// its device, too.
std::unique_ptr<parameter_store> make_parameter_store(storage_options options, const transformer &initial);

}  // namespace slipstream
