#pragma once

#include <optional>
#include <vector>

#include "models/network/spec.hpp"

namespace slipstream {

/// The scaling whose rotary frequencies are the unscaled ones divided by `factors` [head_dim/2], as a GGUF's
/// rope_freqs.weight gives them: none, linear, or Llama 3's rule, whose bounds are recovered. Nothing where
/// no rule that config.json can name gives these factors.
std::optional<rope_scaling> scaling_of_factors(const std::vector<float> &factors, const model_spec &spec);

}  // namespace slipstream
