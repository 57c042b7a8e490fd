#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <vector>

#include "models/network/operations.hpp"
#include "models/network/spec.hpp"
#include "models/network/transformer.hpp"

/// The parameters of a transformer as views into its flat buffer, by what reads them.
namespace slipstream::network {

/// Matrices that read one input, side by side, and the adapters of some of them.
struct linear_weights {
  at::Tensor weight, bias;
  std::vector<ops::low_rank> adapters;
  std::size_t index = 0;  ///< among all of the model
};

struct layer_parameters {
  ops::norm_weights norm, q_norm, k_norm, mlp_norm;
  linear_weights qkv, output, up, down;
};

struct parameters {
  at::Tensor embedding, positions, score;
  ops::norm_weights norm;
  linear_weights head;
  std::vector<layer_parameters> layers;

  /// In the order of their indices.
  std::vector<const linear_weights *> all_linear() const;
};

/// Views of a flat buffer by slot; with a gradient buffer each view is a leaf that accumulates into the same
/// place of it.
class buffer {
 public:
  buffer() = default;
  buffer(at::Tensor values, at::Tensor gradient) : pieces_{{0, std::move(values), std::move(gradient)}} {}
  explicit buffer(std::vector<parameter_piece> pieces) : pieces_(std::move(pieces)) {}

  at::Tensor view(std::int64_t start, std::vector<std::int64_t> shape) const;
  at::Tensor view(const parameter_slot &slot) const { return view(slot.offset, slot.shape); }

 private:
  std::vector<parameter_piece> pieces_;
};

/// The parameters of `base`, with adapters (null: none) of `values`.
parameters cut(const model_spec &spec, const buffer &base, const adapter_spec *adapter, const buffer &values);

}  // namespace slipstream::network
