#pragma once

namespace slipstream {

class registry;

/// Each adds the kinds of one file of this folder: their keys, checks and wiring.
void add_loader_kind(registry &kinds);
void add_sampler_kind(registry &kinds);
void add_scorer_kinds(registry &kinds);
void add_join_kinds(registry &kinds);
void add_valued_kinds(registry &kinds);  ///< advantages by a critic
void add_reinforce_pp_kind(registry &kinds);
void add_learner_kind(registry &kinds);
void add_evaluator_kinds(registry &kinds);

}  // namespace slipstream
