#pragma once

#include <vector>

#include "runtime/topology/topology.hpp"

namespace slipstream {

// Steps of `roles`. All throw input_error.

std::vector<const actor_config *> of_role(const topology &graph, actor_role role);

/// A learner takes its samples from one actor; demonstrations that it learns beside them come from a loader,
/// which then stands last in `takes`.
void put_loaders_last(topology &graph);

/// The loader whose lines the ledger keeps the books of.
const actor_config &find_loader(const topology &graph);

/// Every model that an actor names is one of [models].
void check_model_names(const topology &graph);

/// Groups are trained on whole.
void check_groups(const topology &graph);

void check_learned_once(const std::vector<const actor_config *> &learners);

/// The learner whose model is sampled from; with one learner, that one.
const actor_config &find_main(const topology &graph);

/// What each learner takes, and whether its checkpoints have a place of their own; the main one stands first.
void check_learners(const topology &graph, const std::vector<const actor_config *> &learners);

}  // namespace slipstream
