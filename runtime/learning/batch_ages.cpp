#include "runtime/learning/batch_ages.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "runtime/learning/batch_figures.hpp"

namespace slipstream {

void batch_ages::look(const sample_groups &batch, std::int64_t version,
                      const std::map<std::string, std::int64_t> &scoring_models) {
  if (promised_.in_step) {
    if (promised_.staleness_bound) assert_staleness(batch, version, *promised_.staleness_bound);
    if (promised_.exact_lag) assert_lag(batch, version, *promised_.exact_lag);
    staleness_max_ = std::max(staleness_max_, measure_staleness(batch, version).largest);
  }
  of_models_.clear();
  for (const auto &[model, bound] : promised_.model_bounds) {
    const auto newest = scoring_models.find(model);
    const bool in_step = promised_.models_in_step.contains(model);
    if (!in_step && newest == scoring_models.end()) continue;
    const auto age = in_step ? assert_model_age(batch, model, version, bound, true)
                             : assert_model_age(batch, model, newest->second, bound, false);
    of_models_[model] = age;
    auto &largest = of_models_max_[model];
    largest = std::max(largest, age);
  }
}

void batch_ages::add_to_metrics(nlohmann::json &metrics) const {
  for (const auto &[model, age] : of_models_) metrics["model_staleness"][model] = age;
}

void batch_ages::add_to_summary(nlohmann::json &summary) const {
  summary["staleness_max"] = staleness_max_;
  summary.erase("model_staleness");
  for (const auto &[model, largest] : of_models_max_) {
    summary["model_staleness"][model] = {{"max", largest}, {"bound", nullptr}};
    if (const auto bound = promised_.model_bounds.at(model))
      summary["model_staleness"][model]["bound"] = *bound;
  }
}

void batch_ages::add_to_state(nlohmann::json &state) const {
  state["staleness_max"] = staleness_max_;
  state["model_staleness_max"] = of_models_max_;
}

void batch_ages::resume(const nlohmann::json &state) {
  staleness_max_ = state.at("staleness_max");
  of_models_max_ = state.value("model_staleness_max", std::map<std::string, std::int64_t>{});
}

}  // namespace slipstream
