#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "actors/fresh_rollouts.hpp"
#include "runtime/journal/events.hpp"
#include "runtime/learning/trainer.hpp"

namespace slipstream {

/// `replay --gradients`: every k-th batch's gradient against fresh ones, `repeats` times.
class gradient_study {
 public:
  /// `plan` is verified. Throws input_error when the topology cannot be sampled from without a run.
  gradient_study(preflight &plan, std::int64_t every, std::int64_t repeats)
      : fresh_(plan), every_(every), repeats_(repeats) {}

  void read(const journal_record &record);
  /// Before `core` trains on the batch.
  void meets(trainer &core, const std::vector<sample_group_ptr> &batch);

  /// {"batches": [{"update", …}], "mean": {…}, "repeats"}: figures as gradient_comparison names them.
  nlohmann::json result() const;

 private:
  fresh_rollouts fresh_;
  std::int64_t every_, repeats_;
  std::map<std::uint64_t, std::int64_t> rows_;  ///< of draws
  nlohmann::json batches_ = nlohmann::json::array();
};

/// gradient_study's result as a table.
std::string gradient_table(const nlohmann::json &result);

}  // namespace slipstream
