#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>

#include "models/network/transformer.hpp"
#include "runtime/parallel/process_group.hpp"

namespace slipstream {

/// A transformer of which each of several ranks keeps a part: of each layer, and of what is outside of them,
/// one n-th of the parameters and of their gradient (ZeRO-3, Rajbhandari et al. 2020, arXiv:1910.02054; FSDP,
/// Zhao et al. 2023, arXiv:2304.11277). A layer's parameters are gathered when a pass comes to it, while the
/// layer before it computes, and dropped behind it. On the way back its gradient is added up over the ranks,
/// each of which keeps its own part. What is outside of the layers (embeddings, last norm, head) is there
/// during a whole pass.
///
/// All ranks go through the same passes; one that has no samples takes part by idle_pass().
class sharded_model {
 public:
  /// Keeps this rank's part of `whole`, which is on the CPU and has no adapters. `trains`: has gradients.
  sharded_model(std::shared_ptr<process_group> ranks, const transformer &whole, const std::string &device,
                bool trains);

  /// To be computed with between begin_pass() and end_pass(), once.
  const transformer &network() const { return network_; }
  /// This rank's part of all parameters, and of the gradient that passes add to, [own]. The elementwise steps
  /// of an optimizer may write to them between passes.
  const at::Tensor &parameters() const;
  const at::Tensor &gradient() const;

  /// `backward`: a backward pass follows the forward pass, before end_pass().
  void begin_pass(bool backward);
  void end_pass();
  /// What a pass of the other ranks needs of this one.
  void idle_pass(bool backward);

  /// This rank's part [own] of any flat buffer [parameters] of the whole.
  at::Tensor part_of(const at::Tensor &whole) const;
  /// Puts the ranks' parts [own] of a buffer together in `whole` [parameters], which rank 0 alone gives (the
  /// others an undefined one). No rank holds more than two parts beside it.
  void collect(const at::Tensor &part, const at::Tensor &whole) const;
  /// The other way: `part` becomes this rank's part of what rank 0 gives.
  void deal(const at::Tensor &whole, const at::Tensor &part) const;

  /// Bytes of parameters and gradients that this rank has had at one moment, at most.
  std::int64_t bytes() const;

 private:
  class impl;
  std::shared_ptr<impl> impl_;
  transformer network_;
};

}  // namespace slipstream
