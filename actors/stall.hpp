#pragma once

#include <caf/atom.hpp>

namespace slipstream {

/// From the watchdog to whoever starts nodes, and on to the stand-ins of their actors: nothing has moved for
/// too long (a text that says who waits for whom); what holds work is to be started again.
using stalled_atom = caf::atom_constant<caf::atom("stalled")>;

}  // namespace slipstream
