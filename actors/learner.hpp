#pragma once

#include <caf/fwd.hpp>

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "actors/compute.hpp"
#include "models/tokenizers/tokenizer.hpp"
#include "runtime/learning/trainer.hpp"
#include "runtime/run_folder/run_folder.hpp"
#include "runtime/schedule/learner_machine.hpp"

namespace slipstream {

struct learner_setup {
  compute_share share;
  learner_rules rules;  ///< but for what follows from the other members: name, version, what is kept
  std::shared_ptr<trainer> core;
  std::shared_ptr<const tokenizer> text;  ///< written beside the model in checkpoints
  std::filesystem::path base;             ///< of the model that its adapters stand on
  buffer_actor buffer;
  ledger_actor ledger;
  weights_actor weights;
  std::string model;                           ///< its name
  std::shared_ptr<const transformer> initial;  ///< when the run begins or is resumed
  std::vector<weights_actor>
      scoring_models;                 ///< of the other learned models whose figures are in what it trains on
  std::filesystem::path checkpoints;  ///< folder of checkpoints; empty writes none
  std::optional<folder_mark> run_folder{};  ///< which must be there when one is written
  std::filesystem::path journal;            ///< folder of what its run decided
};

/// Trains on batches, one micro-batch a slice, and publishes versions. The learner's state machine decides;
/// the actor carries its decisions out and passes messages on to it.
learner_actor spawn_learner(caf::actor_system &system, bool detached, const learner_setup &setup);

}  // namespace slipstream
