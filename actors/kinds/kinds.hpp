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
void add_distillation_kind(registry &kinds);
void add_learner_kind(registry &kinds);
void add_evaluator_kinds(registry &kinds);

/// All of them: a new file of kinds has a line above and one here.
inline constexpr void (*kind_files[])(registry &) = {
    add_loader_kind,       add_sampler_kind,      add_scorer_kinds, add_join_kinds,      add_valued_kinds,
    add_reinforce_pp_kind, add_distillation_kind, add_learner_kind, add_evaluator_kinds,
};

}  // namespace slipstream
