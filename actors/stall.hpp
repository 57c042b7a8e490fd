#pragma once

#include <caf/atom.hpp>

namespace slipstream {

/// The watchdog sends this to the actor that starts nodes, which sends it on to the proxies of their actors:
/// nothing has moved for too long, and nodes that hold work are to be started again. The text says who waits
/// for whom.
using stalled_atom = caf::atom_constant<caf::atom("stalled")>;

}  // namespace slipstream
