#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "runtime/learning/rank_trainer.hpp"
#include "runtime/learning/trained_version.hpp"
#include "runtime/learning/trainer_options.hpp"

namespace slipstream {

class follower_ranks;

/// The learner without its actor: batch in, version out, in slices of about one micro-batch. Synchronous
/// loops use it as it stands: begin(); while (slice()); complete(). With `replicas` of 2 or more it leads as
/// many ranks, this one included: each gets the whole batch, takes what concerns all of it (batch-wide
/// transforms, denominators) from there, and trains on its share of the samples; the gradients are added up.
/// All ranks hold the same weights, to the bit.
class trainer {
 public:
  /// Trains a copy of what `initial` lets train; its device and numerics are the trainer's.
  trainer(trainer_options options, const transformer &initial);

  /// Goes on from a checkpoint: `initial` was its weights, `state` is what state() gave.
  void resume(adamw_state optimizer, const nlohmann::json &state);
  /// What a checkpoint holds beside weights and optimizer: {"version", "tokens", "staleness_max",
  /// "model_staleness_max"}, and "kl_coefficient" where it is adapted.
  nlohmann::json state() const { return own_.state(); }

  std::int64_t version() const { return own_.version(); }
  std::int64_t tokens() const { return own_.tokens(); }  ///< trained on so far, prompts included
  /// With zero = 3 as of the newest version, on the CPU and in rank 0 alone.
  const transformer &model() const { return own_.model(); }
  /// Whole, also where each rank keeps a part: all ranks take part then.
  adamw_state optimizer();

  /// Takes a batch (any order: it is sorted by id). `scoring_models`: the newest versions known of models
  /// that keep a pace of their own; those missing are not checked. `demonstrations`: those of this version.
  /// Throws run_error when a token, or another model's figures, break their staleness bound.
  void begin(sample_groups batch, std::int64_t now_ns,
             const std::map<std::string, std::int64_t> &scoring_models = {},
             const sample_groups &demonstrations = {});
  /// Whether begin() must be preceded by set_target_policy() with the policy of this version: of a critic
  /// whose returns a batch transform makes of the policy's log-probabilities.
  bool needs_target_policy() const { return own_.needs_target_policy(); }
  void set_target_policy(std::shared_ptr<const transformer> policy);
  /// One slice: a forward pass for proximal log-probabilities, or forward and backward of one micro-batch
  /// and, after the last of a mini-batch, the optimizer's step. False when the batch is done. Throws
  /// run_error with the batch's ids when a loss or gradient is not finite.
  bool slice();
  trained_version complete(std::int64_t now_ns);

  /// What the batch would move, between two batches; nothing moves. Rollout groups are passed one by one.
  batch_gradient gradient(const sample_groups &batch) { return own_.gradient(batch); }

  /// {"updates", "staleness_max", "tokens_trained", "model_staleness": {model: {"max", "bound"}}} over the
  /// run so far, and the newest update's figures.
  nlohmann::json summary() const { return own_.summary(); }

 private:
  void on_all_ranks(const rank_task &task, const std::function<void()> &own);

  std::shared_ptr<follower_ranks> followers_;  ///< of a leader; null where there are none
  rank_trainer own_;
};

}  // namespace slipstream
