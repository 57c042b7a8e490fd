#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "runtime/learning/trainer.hpp"

namespace slipstream {

/// A batch's gradient against fresh ones for the same prompts at the same weights. Figures of the fresh are
/// means over the draws; a cosine with a gradient of length 0 is NaN.
struct gradient_comparison {
  std::int64_t version = 0;  ///< of the weights that the batch met
  double staleness_mean = 0;
  std::int64_t staleness_max = 0;
  double norm = 0, variance = 0;  ///< of the batch as it was consumed; as in batch_gradient
  double fresh_norm = 0, fresh_variance = 0;
  double cosine = 0;        ///< between the batch's gradient and a fresh one
  double cosine_fresh = 0;  ///< between two fresh ones: what chance alone leaves; NaN of a single draw
};

/// `fresh` draws a batch, with other random numbers for every `repeat` (0, 1 …). The trainer stands between
/// two batches and is left as it was.
gradient_comparison compare_gradients(
    trainer &core, const std::vector<sample_group_ptr> &batch, std::int64_t repeats,
    const std::function<std::vector<sample_group_ptr>(std::int64_t repeat)> &fresh);

/// The fields by name; what is not a number is null.
nlohmann::json to_json(const gradient_comparison &figures);

}  // namespace slipstream
