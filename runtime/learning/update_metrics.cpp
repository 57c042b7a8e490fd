#include "runtime/learning/update_metrics.hpp"

#include <ATen/ATen.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "models/objectives/corrections.hpp"
#include "runtime/learning/importance_weight_figures.hpp"

namespace slipstream {

void update_metrics::clear() {
  totals_.clear();
  demonstrated_.clear();
}

void update_metrics::add(const objective_result &result, bool keep_sequences) {
  add_metrics(totals_, result);
  if (!result.weights.defined()) return;
  weights_.push_back(result.weights);
  if (keep_sequences) sequence_log_weights_.push_back(result.sequence_log_weights);
}

double update_metrics::effective_share() {
  return slipstream::effective_share(at::cat(ranks_.by_rank(std::exchange(sequence_log_weights_, {}))));
}

void update_metrics::add_to(nlohmann::json &metrics, double steps, bool demonstrated) {
  for (const auto &[name, value] : so_far()) metrics[name] = value;
  if (metrics.contains("loss")) metrics["loss"] = metrics["loss"].get<double>() / steps;
  metrics.update(weight_quantiles(ranks_.by_rank(std::exchange(weights_, {}))));
  sequence_log_weights_.clear();
  const auto shown = demonstrated ? ranks_.sum(demonstrated_) : metric_totals{};
  if (!shown.empty()) metrics["sft_loss"] = finish_metrics(shown).at("loss") / steps;
}

}  // namespace slipstream
