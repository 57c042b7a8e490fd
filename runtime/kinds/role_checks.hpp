#pragma once

#include <vector>

#include "runtime/topology/topology.hpp"

namespace slipstream {

// Steps of `roles`. All throw input_error.

std::vector<const actor_config *> of_role(const topology &graph, actor_role role);

/// Checks that a learner takes samples from one actor. Demonstrations may come from a loader in addition,
/// which then stands last in `takes`.
void put_loaders_last(topology &graph);

/// Finds the loader whose draws the ledger books.
const actor_config &find_loader(const topology &graph);

/// Checks that [models] has every model that an actor names.
void check_model_names(const topology &graph);

/// Checks that a batch consists of whole groups.
void check_groups(const topology &graph);

void check_learned_once(const std::vector<const actor_config *> &learners);

/// Finds the main learner: the one whose model is sampled from, or the only one.
const actor_config &find_main(const topology &graph);

/// What each learner takes, and whether its checkpoints have a place of their own; the main one stands first.
void check_learners(const topology &graph, const std::vector<const actor_config *> &learners);

}  // namespace slipstream
