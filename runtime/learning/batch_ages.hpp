#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "runtime/learning/trainer_options.hpp"

namespace slipstream {

/// How old the samples of a learner's batches are, and other models' figures in them: asserted, and kept for
/// metrics, checkpoints and the summary.
class batch_ages {
 public:
  explicit batch_ages(age_options promised) : promised_(std::move(promised)) {}

  /// `scoring_models`: the newest versions known of models that keep a pace of their own; those missing are
  /// not checked. Throws run_error when a promise is broken.
  void look(const sample_groups &batch, std::int64_t version,
            const std::map<std::string, std::int64_t> &scoring_models);

  void add_to_metrics(nlohmann::json &metrics) const;  ///< of the newest batch
  void add_to_summary(nlohmann::json &summary) const;  ///< of the whole run
  void add_to_state(nlohmann::json &state) const;
  void resume(const nlohmann::json &state);

 private:
  age_options promised_;
  std::int64_t staleness_max_ = 0;
  std::map<std::string, std::int64_t> of_models_, of_models_max_;  ///< of the newest batch; over the run
};

}  // namespace slipstream
