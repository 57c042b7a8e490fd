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
#include "runtime/schedule/dials.hpp"

namespace slipstream {

struct learner_setup {
  compute_share share;
  std::shared_ptr<trainer> core;
  std::shared_ptr<const tokenizer> text;  ///< written beside the model in checkpoints
  std::filesystem::path base;             ///< of the model that its adapters stand on
  buffer_actor buffer;
  ledger_actor ledger;
  weights_actor weights;
  std::string model;                           ///< its name
  std::shared_ptr<const transformer> initial;  ///< as the run begins or goes on
  std::int64_t demonstrations = 0;             ///< an update, from a loader that subscribes; 0: none
  std::int64_t updates = 0;                    ///< 0: until it is told to stop
  std::vector<weights_actor> judges;  ///< of the other learned models whose figures are in what it trains on
  std::string target;                 ///< a judge whose every version the trainer needs; empty: none
  std::int64_t consumed_before = 0;   ///< versions whose batches an earlier part of the run was given
  conductor dials{{}, {}};            ///< "publish_every" (versions), and what else changes over the run
  std::int64_t checkpoint_every = 0;  ///< versions; 0: only at the end
  std::filesystem::path checkpoints;  ///< folder of checkpoints; empty writes none
  std::optional<folder_mark> run_folder{};  ///< which must be there when one is written
  std::filesystem::path journal;            ///< folder of what its run decided
};

/// Pulls a batch, trains on it in slices of a micro-batch, publishes the next version; until `updates` are
/// done or it is told to stop, when it writes a checkpoint and reports. A batch that it was given is trained
/// on before it stops.
learner_actor spawn_learner(caf::actor_system &system, bool detached, const learner_setup &setup);

}  // namespace slipstream
