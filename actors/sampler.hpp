#pragma once

#include <caf/fwd.hpp>

#include <memory>
#include <string>
#include <vector>

#include "actors/compute.hpp"
#include "models/engine/engine.hpp"
#include "models/tokenizers/tokenizer.hpp"

namespace slipstream {

struct sampler_setup {
  compute_share share;
  engine_options engine;
  generation_request request;  ///< all but id and prompt
  numerics mode = numerics::fast;
  std::string device = "cpu";
  std::shared_ptr<const tokenizer> text;
  ledger_actor ledger;
  bool follows = true;    ///< the model moves with the learner
  weights_actor weights;  ///< where new versions come from; unused unless `follows`
  snapshot_ptr fixed;     ///< the weights otherwise
  /// Every prompt is generated wholly by the weights of its own min_version. The newest `lead` + 1 versions
  /// are kept for that (only with `follows`).
  bool exact_lag = false;
  std::int64_t lead = 0;
  bool notes_progress = false;  ///< the journal gets tokens while their prompts run, too
  std::int64_t places = 1;      ///< prompts it takes at once, those that wait for a slot included
  std::vector<rollout_sink> sinks;
};

/// Draws answers for the prompts that the ledger hands it, one decode step a slice, and passes finished
/// groups on. It writes a prompt's tokens into the journal before it passes the finished group on, and when
/// it is flushed; with `notes_progress` also in between.
caf::strong_actor_ptr spawn_sampler(caf::actor_system &system, bool detached, const sampler_setup &setup);

}  // namespace slipstream
