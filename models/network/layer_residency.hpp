#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>

namespace slipstream {

/// Decides when the parameters of a transformer's layers are in memory: those of a layer are there, and may
/// be computed with, from enter() to leave() only. A forward pass goes through the layers upwards; a backward
/// pass goes through them downwards and computes each one's output again, so that nothing of a layer but its
/// input is kept in between (Chen et al. 2016, arXiv:1604.06174).
class layer_residency {
 public:
  virtual ~layer_residency() = default;

  /// With `backward`, the layer's gradient is there, too, and zero.
  virtual void enter(std::int64_t layer, bool backward) = 0;
  /// With `backward`, the gradient holds what this pass gives.
  virtual void leave(std::int64_t layer, bool backward) = 0;
};

using layer_function = std::function<at::Tensor(const at::Tensor &)>;

/// What `run` makes of a layer's input `x`, between enter() and leave(); differentiable. `run` is kept until
/// the backward pass and must give the same again.
at::Tensor through_layer(const std::shared_ptr<layer_residency> &residency, std::int64_t layer,
                         const at::Tensor &x, const layer_function &run);

}  // namespace slipstream
