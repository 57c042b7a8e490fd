#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "models/network/transformer.hpp"
#include "models/objectives/optimizer.hpp"
#include "models/objectives/rows.hpp"
#include "runtime/learning/collate.hpp"
#include "runtime/learning/vtrace.hpp"
#include "runtime/learning/weight_figures.hpp"
#include "runtime/learning/whitening.hpp"
#include "runtime/schedule/rules.hpp"

namespace slipstream {

struct trainer_options {
  const objective_row *objective = nullptr;
  objective_options loss;
  adamw_options optimizer;
  learning_rate_schedule rate;                  ///< in optimizer steps
  double max_grad_norm = 1.0;                   ///< 0 or less: no clipping
  std::int64_t micro_batch = 32;                ///< samples a slice trains on
  std::int64_t mini_batches = 1;                ///< optimizer steps one pass over the batch is cut into
  std::int64_t epochs = 1;                      ///< passes over the batch
  double temperature = 1.0;                     ///< of the distribution that the samples were drawn from
  std::optional<std::int64_t> staleness_bound;  ///< asserted on every token; none: not promised
  std::optional<std::int64_t> exact_lag;        ///< every token is that old (less only at the beginning)
  std::vector<brake_spec> brakes;               ///< judged before each optimizer step
  std::int64_t keep_every = 0;                  ///< versions between the states that a brake rolls back to
  bool in_step = true;           ///< its versions are those that the tokens carry: it trains on every batch
  std::int64_t start_after = 0;  ///< versions that pass the weights on as they are, while a critic warms up
  /// How old other models' figures may be, in those models' versions, by model (none: not promised); asserted
  /// on every group.
  std::map<std::string, std::optional<std::int64_t>> model_bounds{};
  std::set<std::string> models_in_step{};  ///< those of them whose versions count the same batches
  whitening_scope whiten_over = whitening_scope::none;  ///< of the advantages of a batch
  bool keep_zero = false;    ///< samples without advantage are passed through the model all the same
  bool interpolate = false;  ///< proximal log-probabilities by interpolation, not by a forward pass
  bool ess_scaling = false;  ///< the step shrinks with the effective sample size of the batch (VCPO)
  double ess_base = 1;       ///< share of the batch from which on the step is whole
  double kl_target = 0;      ///< mean KL a token that the coefficient is adapted to; 0: it stays
  double kl_gain = 0.1;      ///< how fast it is
  std::optional<vtrace_options> vtrace{};  ///< advantages and returns are made of the batch as it arrives
  double sft_weight = 0;       ///< of the cross entropy of demonstrations beside the loss (PPO-ptx)
  std::int64_t sft_batch = 0;  ///< demonstrations an update
  /// Gives reference log-probabilities where the samples bring none; may be null.
  std::shared_ptr<const transformer> reference;
};

/// A version that a batch made.
struct trained_version {
  std::int64_t version = 0;
  std::shared_ptr<const transformer> weights;  ///< never written again
  std::vector<std::uint64_t> ids;              ///< what it was trained on
  nlohmann::json metrics;                      ///< one line of metrics.jsonl
  std::string braked;                          ///< why nothing was trained; empty: the batch was
};

/// The gradient of a batch's loss at the weights that met it, as of one optimizer step over the whole batch.
struct batch_gradient {
  at::Tensor sum;  ///< [trainable parameters]
  double norm = 0;
  /// Of `sum` as an estimate, from how far its groups lie apart: the trace of the covariance of one group's
  /// gradient, divided by the number of groups. NaN of a single group.
  double variance = 0;
};

/// The learner without its actor: batch in, version out, in slices of about one micro-batch. Synchronous
/// loops use it as it stands: begin(); while (slice()); complete().
class trainer {
 public:
  /// Trains a copy of what `initial` lets train; its device and numerics are the trainer's.
  trainer(trainer_options options, const transformer &initial);

  /// Goes on from a checkpoint: `initial` was its weights, `state` is what state() gave.
  void resume(adamw_state optimizer, const nlohmann::json &state);
  /// What a checkpoint holds beside weights and optimizer: {"version", "tokens", "staleness_max",
  /// "model_staleness_max"}, and "kl_coefficient" where it is adapted.
  nlohmann::json state() const;

  std::int64_t version() const { return version_; }
  std::int64_t tokens() const { return tokens_; }  ///< trained on so far, prompts included
  const transformer &model() const { return model_; }
  const adamw_state &optimizer() const { return optimizer_; }

  /// Takes a batch (any order: it is sorted by id). `judges`: the newest versions known of models that keep a
  /// pace of their own; those missing are not checked. `demonstrations`: those of this version. Throws
  /// run_error when a token, or another model's figures, break their staleness bound.
  void begin(std::vector<sample_group_ptr> batch, std::int64_t now_ns,
             const std::map<std::string, std::int64_t> &judges = {},
             const std::vector<sample_group_ptr> &demonstrations = {});
  /// Whether begin() must be preceded by target() with the policy of this version: of a critic that learns by
  /// V-trace.
  bool needs_target() const;
  void target(std::shared_ptr<const transformer> policy) { target_ = std::move(policy); }
  /// One slice: a forward pass for proximal log-probabilities, or forward and backward of one micro-batch
  /// and, after the last of a mini-batch, the optimizer's step. False when the batch is done. Throws
  /// run_error with the batch's ids when a loss or gradient is not finite.
  bool slice();
  trained_version complete(std::int64_t now_ns);

  /// What the batch would move, between two batches; nothing moves. Groups are passed one by one.
  batch_gradient gradient(const std::vector<sample_group_ptr> &batch);

  /// {"updates", "staleness_max", "tokens_trained", "model_staleness": {model: {"max", "bound"}}} over the
  /// run so far, and the newest update's figures.
  nlohmann::json summary() const;

 private:
  struct mini_batch {
    std::vector<micro_batch> parts;
    denominators totals;
    std::vector<micro_batch> demonstrations;
    denominators demonstrated;

    std::size_t slices() const { return parts.size() + demonstrations.size(); }
  };

  void check_ages(const std::map<std::string, std::int64_t> &judges);
  void add_mini_batch(const std::vector<const sample *> &samples);
  bool needs_first_pass() const;
  bool may_leave_out() const;
  void end_first_pass();
  void mask_second_moment();
  void whiten_targets();
  void complete_inputs(objective_inputs &inputs, micro_batch &part);
  void keep_weights(const objective_result &result);
  double step_scale();
  void finish_update(nlohmann::json &metrics);
  at::Tensor logprobs(const micro_batch &part, bool with_entropy, at::Tensor &entropy) const;
  void anchor(micro_batch &part) const;
  std::vector<micro_batch *> parts();
  void add_demonstrations(const std::vector<sample_group_ptr> &given);
  void imitate(const mini_batch &group, const micro_batch &part);
  void train(mini_batch &group, std::size_t part);
  objective_result add_gradient(micro_batch &part, const denominators &totals);
  void optimizer_step();
  bool brake();
  void keep_state();
  std::string batch_ids() const;

  trainer_options options_;
  at::Tensor parameters_;
  at::Tensor gradient_;
  at::Tensor decays_;
  transformer model_;
  adamw_state optimizer_;
  std::vector<std::shared_ptr<const transformer>>
      published_;  ///< buffers to reuse once nobody else holds them

  std::int64_t version_ = 0;
  std::int64_t tokens_ = 0;
  std::int64_t staleness_max_ = 0;
  std::map<std::string, std::int64_t> model_staleness_, model_staleness_max_;  ///< of the batch; over the run
  std::int64_t begun_ns_ = 0;
  std::vector<sample_group_ptr> batch_;
  std::vector<mini_batch> mini_batches_;
  std::shared_ptr<const transformer> target_;  ///< whose policy a critic's returns are of
  std::size_t cursor_ = 0;                     ///< slices done of this batch
  metric_totals metrics_;
  metric_totals imitated_;                    ///< of the demonstrations
  std::vector<at::Tensor> weights_;           ///< importance weights of the update, a micro-batch each
  std::vector<at::Tensor> sequence_weights_;  ///< their logarithms by sequence, of one optimizer step
  double scale_ = 1;                          ///< of the newest step, by the effective sample size
  std::string braked_;                        ///< the brake that ended this batch
  std::int64_t steps_ = 0;                    ///< taken with this batch
  at::Tensor kept_;                           ///< parameters to roll back to
  adamw_state kept_moments_;
  double grad_norm_ = 0;
  double rate_ = 0;
  nlohmann::json newest_metrics_ = nlohmann::json::object();
};

}  // namespace slipstream
