#pragma once

#include <vector>

#include "runtime/kinds/checked_topology.hpp"
#include "runtime/kinds/kind_list.hpp"

namespace slipstream {

#define SLIPSTREAM_ROWS(name) std::vector<kind_row> name##_rows();
SLIPSTREAM_KINDS(SLIPSTREAM_ROWS)
#undef SLIPSTREAM_ROWS

/// All kinds of this library, as far as they need no tensor, and its orders of consumption.
const kind_rows &builtin_kinds();
const order_table &builtin_orders();

}  // namespace slipstream
