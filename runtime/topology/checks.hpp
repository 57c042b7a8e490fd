#pragma once

#include "runtime/topology/topology.hpp"

namespace slipstream {

/// Checks between tables that need no registry of kinds: names, cycles, batch against group, publishing
/// against staleness. Throws input_error at the faulty value.
void check_structure(const topology &graph);

}  // namespace slipstream
