#pragma once

#include <ATen/core/Tensor.h>

#include <string_view>
#include <vector>

#include "models/objectives/rows.hpp"

namespace slipstream {

/// A change of a per-token figure that takes its statistics over all tokens of a batch, whichever micro-batch
/// or rank they are in: where the figure stands, a pure function of all of them, and where its result goes.
/// It is taken once the batch has proximal log-probabilities.
struct token_transform {
  std::string_view name;
  at::Tensor (*figure)(const objective_inputs &inputs) = nullptr;  ///< [B,T]
  /// [n] and [n] of the whole batch, outside of the mask included; gives [n].
  at::Tensor (*change)(const at::Tensor &figures, const at::Tensor &mask,
                       const objective_options &options) = nullptr;
  void (*put)(objective_inputs &inputs, const at::Tensor &changed) = nullptr;  ///< [B,T]
};

/// M2PO's second-moment mask (arXiv:2510.01161), from behaviour and proximal log-probabilities into `keep`.
extern const token_transform second_moment_mask;
/// `advantages` (x - mean) / sqrt(population variance + 1e-8) over the mask.
extern const token_transform whitened_advantages;

/// Those that the options of a loss ask for.
std::vector<const token_transform *> token_transforms_of(const objective_options &options);

}  // namespace slipstream
