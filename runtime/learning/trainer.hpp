#pragma once

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "models/network/transformer.hpp"
#include "models/objectives/optimizer.hpp"
#include "models/objectives/rows.hpp"
#include "runtime/learning/collate.hpp"
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
  /// What a checkpoint holds beside weights and optimizer: {"version", "tokens", "staleness_max"}.
  nlohmann::json state() const;

  std::int64_t version() const { return version_; }
  std::int64_t tokens() const { return tokens_; }  ///< trained on so far, prompts included
  const transformer &model() const { return model_; }
  const adamw_state &optimizer() const { return optimizer_; }

  /// Takes a batch (any order: it is sorted by id). Throws run_error when a token breaks the staleness bound.
  void begin(std::vector<sample_group_ptr> batch, std::int64_t now_ns);
  /// One slice: a forward pass for proximal log-probabilities, or forward and backward of one micro-batch
  /// and, after the last of a mini-batch, the optimizer's step. False when the batch is done. Throws
  /// run_error with the batch's ids when a loss or gradient is not finite.
  bool slice();
  trained_version complete(std::int64_t now_ns);

  /// What the batch would move, between two batches; nothing moves. Groups are passed one by one.
  batch_gradient gradient(const std::vector<sample_group_ptr> &batch);

  /// {"updates", "staleness_max", "tokens_trained"} over the run so far, and the newest update's figures.
  nlohmann::json summary() const;

 private:
  struct mini_batch {
    std::vector<micro_batch> parts;
    denominators totals;
  };

  void add_mini_batch(const std::vector<const sample *> &samples);
  bool needs_proximal_pass() const;
  at::Tensor logprobs(const micro_batch &part, bool with_entropy, at::Tensor &entropy) const;
  void anchor(micro_batch &part) const;
  void train(mini_batch &group, micro_batch &part, bool last);
  objective_result add_gradient(const micro_batch &part, const denominators &totals);
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
  std::int64_t begun_ns_ = 0;
  std::vector<sample_group_ptr> batch_;
  std::vector<mini_batch> mini_batches_;
  std::size_t cursor_ = 0;  ///< slices done of this batch
  metric_totals metrics_;
  std::string braked_;      ///< the brake that ended this batch
  std::int64_t steps_ = 0;  ///< taken with this batch
  at::Tensor kept_;         ///< parameters to roll back to
  adamw_state kept_moments_;
  double grad_norm_ = 0;
  double rate_ = 0;
  nlohmann::json newest_metrics_ = nlohmann::json::object();
};

}  // namespace slipstream
