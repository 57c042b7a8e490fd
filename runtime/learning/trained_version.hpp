#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "models/network/transformer.hpp"

namespace slipstream {

/// A version that a batch made.
struct trained_version {
  std::int64_t version = 0;
  std::shared_ptr<const transformer> weights;  ///< never written again
  std::vector<std::uint64_t> ids;              ///< what it was trained on
  nlohmann::json metrics;                      ///< one line of metrics.jsonl
  std::string tripped;  ///< why no step was taken, if a guard tripped; empty: the batch was trained on
};

/// The gradient of a batch's loss at the weights before the update, as for one optimizer step over the whole
/// batch.
struct batch_gradient {
  at::Tensor sum;  ///< [trainable parameters]
  double norm = 0;
  /// Of `sum` as an estimate, from how far its rollout groups lie apart: the trace of the covariance of one
  /// group's gradient, divided by the number of groups. NaN of a single group.
  double variance = 0;
};

}  // namespace slipstream
