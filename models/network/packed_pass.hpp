#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "models/arithmetic/product.hpp"
#include "models/network/operations.hpp"
#include "models/network/parameters.hpp"

/// A pass without gradients over weights in panels, in plain memory: float32 on the CPU. It computes the
/// bits that the operations of operations.hpp do, without a tensor for each step.
namespace slipstream::network {

/// What a pass reads. All of it outlives the pass.
struct packed_model {
  const model_spec &spec;
  const parameters &weights;
  const std::vector<arithmetic::packed_matrix> &matrices;  ///< by linear_weights::index
};

/// Final hidden states [N,hidden] (after the last norm) of tokens ids[N] at positions[N], both int64;
/// `angles` are those of the positions, or undefined where positions are not rotary. how.takes_rows() must
/// be true.
at::Tensor packed_hidden(const packed_model &model, const at::Tensor &ids, const at::Tensor &positions,
                         const ops::rotary &angles, attention &how);

}  // namespace slipstream::network
