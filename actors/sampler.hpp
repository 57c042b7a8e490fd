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
  /// Every prompt is made wholly by the weights of its own min_version, for which the newest `lead` + 1 are
  /// kept (`follows` only).
  bool exact_lag = false;
  std::int64_t lead = 0;
  bool notes_progress = false;  ///< the journal gets tokens while their prompts run, too
  std::int64_t places = 1;      ///< prompts it takes at once, those that wait for a slot included
  std::vector<rollout_sink> sinks;
};

/// Draws answers for the prompts that the ledger hands it, one decode step a slice, and passes finished
/// groups on. The journal hears of a prompt's tokens when they are whole, before they go on; when the sampler
/// is told to put down everything; and in between, if it is to.
caf::strong_actor_ptr spawn_sampler(caf::actor_system &system, bool detached, const sampler_setup &setup);

}  // namespace slipstream
