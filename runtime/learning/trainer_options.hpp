#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "models/network/transformer.hpp"
#include "models/objectives/optimizer.hpp"
#include "models/objectives/rows.hpp"
#include "runtime/learning/batch_transform.hpp"
#include "runtime/learning/rank_tasks.hpp"
#include "runtime/parallel/process_group.hpp"
#include "runtime/schedule/rules.hpp"

namespace slipstream {

/// How a batch is cut, and which transforms apply to the whole batch.
struct batch_options {
  std::int64_t micro_batch = 32;              ///< samples a slice trains on
  std::int64_t mini_batches = 1;              ///< optimizer steps one pass over the batch is cut into
  std::int64_t epochs = 1;                    ///< passes over the batch
  std::vector<batch_transform> transforms{};  ///< applied in this order, before those of the loss
  bool keep_zero = false;      ///< samples without advantage are passed through the model all the same
  double sft_weight = 0;       ///< of the cross entropy of demonstrations beside the loss (arXiv:2203.02155)
  std::int64_t sft_batch = 0;  ///< demonstrations an update
  std::int64_t start_after = 0;  ///< versions that pass the weights on as they are, while a critic warms up
};

/// Bounds on the staleness of the training data.
struct age_options {
  std::optional<std::int64_t> staleness_bound;  ///< asserted on every token; none: not promised
  std::optional<std::int64_t> exact_lag;        ///< every token is that old (less only at the beginning)
  bool in_step = true;  ///< its versions are those that the tokens carry: it trains on every batch
  /// How old other models' figures may be, in those models' versions, by model (none: not promised); asserted
  /// on every group.
  std::map<std::string, std::optional<std::int64_t>> model_bounds{};
  std::set<std::string> models_in_step{};  ///< those of them whose versions count the same batches
};

/// The options of an optimizer step.
struct step_options {
  const objective_row *objective = nullptr;
  objective_options loss;
  adamw_options optimizer;
  learning_rate_schedule rate;  ///< in optimizer steps
  double max_grad_norm = 1.0;   ///< 0 or less: no clipping
  double temperature = 1.0;     ///< of the distribution that the samples were drawn from
  bool interpolate = false;     ///< proximal log-probabilities by interpolation, not by a forward pass
  bool ess_scaling = false;  ///< the step shrinks with the batch's effective sample size (arXiv:2602.17616)
  double ess_base = 1;       ///< share of the batch from which on the step is whole
  double kl_target = 0;      ///< mean KL a token that the coefficient is adapted to; 0: it stays
  double kl_gain = 0.1;      ///< how fast it is
  std::vector<guard_spec> guards{};  ///< checked before each optimizer step
  std::int64_t keep_every = 0;       ///< versions between the states that a guard rolls back to
  /// Computes reference log-probabilities where the samples have none; may be null.
  std::shared_ptr<const transformer> reference{};
};

/// The ranks that share a learner's work.
struct rank_options {
  std::int64_t replicas = 1;  ///< ranks; a trainer that is given none of them leads the others
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
  std::shared_ptr<process_group> ranks{};
  /// The ranks that run in other processes, by rank; the rest are threads of this one.
  std::map<std::int64_t, std::shared_ptr<rank_lane>> elsewhere{};
  std::shared_ptr<meeting_point> meeting{};  ///< where all of them meet; null: one of this process alone
  /// Through which they are reached; null: this machine's loopback.
  std::shared_ptr<const tunnel_options> tunnel{};
};

struct trainer_options : batch_options, age_options, step_options, rank_options {};

}  // namespace slipstream
