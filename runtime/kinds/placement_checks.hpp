#pragma once

#include "runtime/schedule/contract.hpp"
#include "runtime/topology/topology.hpp"

namespace slipstream {

/// Refuses actors that cannot run on a node, and [chaos] events for actors that run on none. Throws
/// input_error at the faulty key.
void check_placement(const topology &graph, const staleness_contract &contract);

}  // namespace slipstream
