#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "models/objectives/rows.hpp"
#include "runtime/learning/rank_figures.hpp"

namespace slipstream {

/// What the micro-batches of one update say, added up over the ranks when it is asked for.
class update_metrics {
 public:
  explicit update_metrics(rank_figures ranks) : ranks_(std::move(ranks)) {}

  void clear();
  /// `keep_sequences`: their weights are asked for before the step.
  void add(const objective_result &result, bool keep_sequences);
  void add_demonstrated(const objective_result &result) { add_metrics(demonstrated_, result); }

  /// Of the update so far, by name.
  std::map<std::string, double> so_far() const { return finish_metrics(ranks_.sum(totals_)); }
  /// The effective sample size of one optimizer step's sequences, as a share of them; the next step begins.
  double effective_share();
  /// Puts the update's figures in: means, largest, quantiles of the weights, and with `demonstrated` the loss
  /// of the demonstrations. Losses are sums over `steps` optimizer steps.
  void add_to(nlohmann::json &metrics, double steps, bool demonstrated);

 private:
  rank_figures ranks_;
  metric_totals totals_, demonstrated_;
  std::vector<at::Tensor> weights_;               ///< importance weights, one tensor a micro-batch
  std::vector<at::Tensor> sequence_log_weights_;  ///< of one optimizer step
};

}  // namespace slipstream
