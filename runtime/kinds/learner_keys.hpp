#pragma once

#include <cstdint>
#include <string>

#include "models/objectives/table.hpp"
#include "runtime/kinds/kind_row.hpp"

namespace slipstream {

/// The keys of a learner.
struct learner_keys {
  std::string model;
  std::string reference;  ///< a frozen reference model that the learner evaluates itself; empty: none
  const objective_row *objective = nullptr;
  objective_options loss;
  bool interpolate = false;  ///< proximal log-probabilities by interpolation, not by a forward pass
  bool ess_scaling = false;  ///< the step shrinks with the batch's effective sample size
  double ess_base = 1;
  double kl_target = 0, kl_gain = 0.1;
  learning_rate_schedule rate;
  std::int64_t warmup = 0;  ///< updates
  adamw_options optimizer;
  double max_grad_norm = 1;
  double sft_weight = 0;
  std::int64_t sft_batch = 32;
  std::int64_t start_after = 0;
  std::int64_t micro_batch = 32, mini_batches = 1, epochs = 1;
  std::int64_t threads = 1, replicas = 1, zero = 0;
  std::int64_t rank_timeout = 60;  ///< seconds
  bool allow_uncorrected = false;
};

/// Whether the loss trains a score head.
bool trains_head(const objective_row &row);

kind_row learner_row();

}  // namespace slipstream
