#pragma once

#include "runtime/kinds/kind_list.hpp"

namespace slipstream {

class registry;

// Each adds the kinds of one file of this folder: their checks and wiring.
#define SLIPSTREAM_ADD(name) void add_##name##_kinds(registry &kinds);
SLIPSTREAM_KINDS(SLIPSTREAM_ADD)
#undef SLIPSTREAM_ADD

}  // namespace slipstream
