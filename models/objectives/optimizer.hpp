#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/objectives/options.hpp"

namespace slipstream {

/// Moments of one flat buffer of parameters.
struct adamw_state {
  at::Tensor m, v;  ///< [n], type and device of the parameters
  std::int64_t step = 0;
};
adamw_state fresh_adamw(const at::Tensor &parameters);

/// The state as named tensors "m", "v" [n] and "step" [1] int64 for a checkpoint, and back; `n` parameters
/// are expected. Throws input_error when a tensor is missing or of another size.
using optimizer_tensors = std::vector<std::pair<std::string, at::Tensor>>;
optimizer_tensors to_tensors(const adamw_state &state);
adamw_state adamw_from_tensors(const optimizer_tensors &tensors, std::int64_t n);

/// Euclidean norm of a flat buffer, summed in float64 in blocks of fixed size on the CPU: the same bits
/// whatever the threads.
double gradient_norm(const at::Tensor &gradients);

/// What gradients are multiplied by so that their norm is at most `max_norm` (0 or less: no clipping).
double clip_scale(double norm, double max_norm, double eps = 1e-6);

/// One step of AdamW (arXiv:1711.05101) in place over a flat buffer [n] of any floating type, in one pass for
/// float32 and float64 on the CPU. Gradients count
/// times `scale` and are left as they are. Where `decays` [n] bool is given, weight decay acts only where it
/// is true (norms and biases are commonly left out).
void adamw_step(const at::Tensor &parameters, const at::Tensor &gradients, adamw_state &state,
                const adamw_options &options, double learning_rate, double scale = 1,
                const at::Tensor &decays = {});

double learning_rate(const learning_rate_schedule &schedule, std::int64_t step);

}  // namespace slipstream
