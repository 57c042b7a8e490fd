#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "runtime/learning/batch_ages.hpp"
#include "runtime/learning/mini_batches.hpp"
#include "runtime/learning/parameter_store.hpp"
#include "runtime/learning/rank_figures.hpp"
#include "runtime/learning/trained_version.hpp"
#include "runtime/learning/trainer_options.hpp"
#include "runtime/learning/update_metrics.hpp"

namespace slipstream {

/// One rank of a learner. It updates the weights by batches: forward and backward passes in slices, an
/// optimizer step for each mini-batch, and the metrics of the update. mini_batches.hpp cuts the batches,
/// parameter_store.hpp stores the weights. All ranks get the same calls in the same order. The members are
/// those of trainer, which leads the ranks.
class rank_trainer {
 public:
  rank_trainer(trainer_options options, const transformer &initial);

  /// `moments`: those that rank 0 has; null in the others.
  void resume(const adamw_state *moments, std::int64_t step, const nlohmann::json &state);
  nlohmann::json state() const;
  std::int64_t version() const { return version_; }
  std::int64_t tokens() const { return tokens_; }
  const transformer &model() const { return store_->model(); }
  adamw_state moments() { return store_->moments(); }
  bool has_all_moments() const { return store_->has_all_moments(); }

  void begin(sample_groups batch, std::int64_t now_ns,
             const std::map<std::string, std::int64_t> &scoring_models, const sample_groups &demonstrations);
  bool needs_target_policy() const;
  void set_target_policy(const std::shared_ptr<const transformer> &policy);
  bool slice();
  trained_version complete(std::int64_t now_ns);

  batch_gradient gradient(const sample_groups &batch);
  nlohmann::json summary() const;

 private:
  // The batch.
  cutting how_to_cut() const;
  bool may_leave_out_zero() const;
  bool needs_first_pass() const;
  bool transforms_need_proximal() const;
  sample_groups transformed(sample_groups batch) const;
  void end_first_pass();

  // Passes of one slice.
  void add_proximal_logprobs(micro_batches &samples, std::size_t position);
  void add_reference_logprobs(micro_batches &samples, std::size_t position);
  void own_proximal(objective_inputs &inputs) const;
  void set_reference_point(mini_batch &batch, bool first_epoch);
  void train_slice(const batch_slice &at);
  void train_samples(mini_batch &batch, std::size_t position, bool first_epoch);
  void train_demonstrations(mini_batch &batch, std::size_t position);
  objective_result add_gradient(micro_batch &micro, const denominators &totals, bool last);
  void backward(const at::Tensor &loss, bool last);

  // The step, and the update's end.
  void optimizer_step();
  bool guard();
  double step_scale();
  void keep_state();
  void adapt_coefficient(nlohmann::json &metrics);
  void group_gradients(std::vector<mini_batch> &groups, batch_gradient &result);
  void fail_not_finite(const std::string &what) const;
  double optimizer_steps() const { return static_cast<double>(options_.mini_batches * options_.epochs); }

  trainer_options options_;
  std::vector<batch_transform> transforms_;
  rank_figures ranks_;
  std::unique_ptr<parameter_store> store_;
  constant_model reference_;
  constant_model target_policy_;                                       ///< whose returns a critic learns
  std::shared_ptr<const transformer> whole_reference_, whole_target_;  ///< where gradient() may ask for them

  std::int64_t version_ = 0;
  std::int64_t tokens_ = 0;
  batch_ages ages_;
  sample_groups batch_;
  std::int64_t begun_ns_ = 0;
  nlohmann::json figures_;  ///< of batch_, as it was begun with
  std::vector<mini_batch> mini_batches_;
  std::size_t cursor_ = 0;  ///< slices done of this batch
  update_metrics metrics_;
  std::string tripped_;     ///< the guard that ended this batch
  std::int64_t steps_ = 0;  ///< taken with this batch
  double grad_norm_ = 0, rate_ = 0;
  double scale_ = 1;  ///< of the newest step, by the effective sample size
  nlohmann::json newest_metrics_ = nlohmann::json::object();
};

}  // namespace slipstream
