#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
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
#include "runtime/learning/gradient_reducer.hpp"
#include "runtime/learning/rank_tasks.hpp"
#include "runtime/learning/vtrace.hpp"
#include "runtime/learning/weight_figures.hpp"
#include "runtime/learning/whitening.hpp"
#include "runtime/parallel/process_group.hpp"
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
  std::int64_t replicas =
      1;  ///< ranks that share the work of a batch; a trainer without a group leads the others
  /// What each rank keeps a part of (the stages of ZeRO, arXiv:1910.02054): 1: the optimizer's state; 3: also
  /// the parameters and their gradient (the model has no adapters then).
  std::int64_t zero = 0;
  /// Where this rank computes with zero = 3, whose initial model is on the CPU; empty: there, too.
  std::string device{};
  std::int64_t threads = 1;       ///< of LibTorch, for each rank beside this one
  std::int64_t bucket = 1 << 20;  ///< elements of the gradient that are added up over the ranks at once
  std::chrono::milliseconds patience{60000};  ///< no rank waits longer for another
  /// The ranks that this trainer is one of, where somebody else leads. All are told the same in the same
  /// order.
  std::shared_ptr<process_group> group{};
  /// The ranks that run in other processes, by rank; the rest are threads of this one.
  std::map<std::int64_t, std::shared_ptr<rank_lane>> elsewhere{};
  std::shared_ptr<meeting_point> meeting{};  ///< where all of them meet; null: one of this process alone
  std::shared_ptr<const tunnel_options>
      tunnel{};  ///< through which they are reached; null: this machine's loopback
};

class follower_ranks;
class sharded_model;

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
/// loops use it as it stands: begin(); while (slice()); complete(). With `replicas` of 2 or more it leads as
/// many ranks, this one included: each gets the whole batch, takes what concerns all of it (whitening,
/// denominators) from there, and trains on its share of the samples; the gradients are added up. All ranks
/// hold the same weights, to the bit.
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
  /// With zero = 3 as of the newest version, on the CPU and in rank 0 alone.
  const transformer &model() const;
  /// Whole, also where each rank keeps a part: all ranks take part then.
  adamw_state optimizer();

  /// Takes a batch (any order: it is sorted by id). `judges`: the newest versions known of models that keep a
  /// pace of their own; those missing are not checked. `demonstrations`: those of this version. Throws
  /// run_error when a token, or another model's figures, break their staleness bound.
  void begin(std::vector<sample_group_ptr> batch, std::int64_t now_ns,
             const std::map<std::string, std::int64_t> &judges = {},
             const std::vector<sample_group_ptr> &demonstrations = {});
  /// Whether begin() must be preceded by target() with the policy of this version: of a critic that learns by
  /// V-trace.
  bool needs_target() const;
  void target(std::shared_ptr<const transformer> policy);
  /// One slice: a forward pass for proximal log-probabilities, or forward and backward of one micro-batch
  /// and, after the last of a mini-batch, the optimizer's step. False when the batch is done. Throws
  /// run_error with the batch's ids when a loss or gradient is not finite.
  bool slice();
  trained_version complete(std::int64_t now_ns);

  /// What a rank does that somebody else leads: the leader has called the member of the task's name.
  void follow(const rank_task &task);

  /// What the batch would move, between two batches; nothing moves. Groups are passed one by one.
  batch_gradient gradient(const std::vector<sample_group_ptr> &batch);

  /// {"updates", "staleness_max", "tokens_trained", "model_staleness": {model: {"max", "bound"}}} over the
  /// run so far, and the newest update's figures.
  nlohmann::json summary() const;

 private:
  struct mini_batch {
    std::vector<micro_batch> parts;            ///< this rank's
    denominators totals;                       ///< of all ranks, as all below that is no micro-batch
    std::vector<std::int64_t> slice_tokens{};  ///< as many as the rank with the most parts has
    std::vector<micro_batch> demonstrations{};
    denominators demonstrated{};
    std::vector<std::int64_t> demonstration_tokens{};

    std::size_t slices() const { return slice_tokens.size() + demonstration_tokens.size(); }
  };

  // What a rank does; the public members make all ranks do it.
  void own_resume(const adamw_state *whole, std::int64_t step, const nlohmann::json &state);
  void own_begin(std::vector<sample_group_ptr> batch, std::int64_t now_ns,
                 const std::map<std::string, std::int64_t> &judges,
                 const std::vector<sample_group_ptr> &demonstrations);
  bool own_slice();
  trained_version own_complete(std::int64_t now_ns);
  adamw_state own_optimizer();
  void on_all_ranks(const rank_task &task, const std::function<void()> &own);

  // Between the ranks; each does what a single one does where there are no others.
  std::int64_t ranks() const { return options_.group ? options_.group->size() : 1; }
  std::pair<std::int64_t, std::int64_t> shard_of(std::int64_t rank) const;  ///< of the moments: first, count
  std::vector<at::Tensor> of_ranks(const std::vector<at::Tensor> &own) const;
  std::pair<at::Tensor, std::int64_t> in_all(const std::vector<at::Tensor> &own) const;
  metric_totals all_metrics(const metric_totals &own) const;
  void share_out(const std::vector<const sample *> &samples, const objective_row &row,
                 std::vector<micro_batch> &own, std::vector<std::int64_t> &tokens,
                 denominators &totals) const;
  void own_target(const std::shared_ptr<const transformer> &policy);
  adamw_state shard_from_first(const adamw_state *whole) const;
  void step_shard(double scale);
  void publish_into(trained_version &result);

  double norm_of_all() const;
  void share_parameters(const transformer &initial);
  std::shared_ptr<const transformer> placed(const std::shared_ptr<const transformer> &given,
                                            std::shared_ptr<sharded_model> &parts) const;

  void check_ages(const std::map<std::string, std::int64_t> &judges);
  void add_mini_batch(const std::vector<const sample *> &samples);
  bool needs_first_pass() const;
  bool may_leave_out() const;
  void end_first_pass();
  void mask_second_moment();
  void whiten_targets();
  void add_proximal(objective_inputs &inputs) const;
  void keep_weights(const objective_result &result);
  double step_scale();
  void finish_update(nlohmann::json &metrics);
  at::Tensor logprobs(const micro_batch &part, bool with_entropy, at::Tensor &entropy) const;
  at::Tensor constant_logprobs(const transformer &policy, const std::shared_ptr<sharded_model> &parts,
                               const micro_batch &part) const;
  void anchor(mini_batch &group, std::size_t position) const;
  void refer(mini_batch &group, std::size_t position) const;
  std::vector<micro_batch *> parts();
  void add_demonstrations(const std::vector<sample_group_ptr> &given);
  void imitate(const mini_batch &group, const micro_batch &part, bool last);
  void train(mini_batch &group, std::size_t position, bool first);
  objective_result add_gradient(micro_batch &part, const denominators &totals, bool last);
  void backward(const at::Tensor &loss, bool last);
  void optimizer_step();
  bool brake();
  void keep_state();
  std::string batch_ids() const;

  trainer_options options_;
  std::shared_ptr<follower_ranks> followers_;  ///< of a leader
  std::shared_ptr<gradient_reducer> reducer_;  ///< null without a group, and with zero = 3
  /// With zero = 3: of the trained model, of the reference, of the policy that a critic's returns are of.
  std::shared_ptr<sharded_model> parts_, reference_parts_, target_parts_;
  std::shared_ptr<const transformer> whole_, whole_reference_;  ///< of rank 0 with zero = 3
  at::Tensor parameters_;
  at::Tensor gradient_;
  at::Tensor decays_;
  transformer model_;
  adamw_state optimizer_;  ///< of this rank's shard
  std::vector<std::shared_ptr<const transformer>>
      published_;  ///< buffers to reuse once nobody else holds them

  std::int64_t version_ = 0;
  std::int64_t tokens_ = 0;
  std::int64_t staleness_max_ = 0;
  std::map<std::string, std::int64_t> model_staleness_, model_staleness_max_;  ///< of the batch; over the run
  std::int64_t begun_ns_ = 0;
  std::vector<sample_group_ptr> batch_;
  nlohmann::json figures_;  ///< of batch_, as it was begun with
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
