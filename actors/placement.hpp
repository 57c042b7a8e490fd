#pragma once

#include "runtime/kinds/placement.hpp"

namespace slipstream {

/// Looks at certificates and places before anything is opened. Throws input_error.
void check_links(const topology &graph);

}  // namespace slipstream
