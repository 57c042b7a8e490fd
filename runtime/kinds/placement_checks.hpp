#pragma once

#include "runtime/schedule/contract.hpp"
#include "runtime/topology/topology.hpp"

namespace slipstream {

/// Refuses what cannot be placed on a node, and mishaps of what is not. Throws input_error at the key to
/// blame.
void check_placement(const topology &graph, const staleness_contract &contract);

}  // namespace slipstream
