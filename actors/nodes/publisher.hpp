#pragma once

#include <caf/fwd.hpp>

#include <memory>

#include "actors/interfaces.hpp"
#include "runtime/wire/weight_stream.hpp"

namespace slipstream {

/// Follows weights actors and offers every version that they hand out to the nodes, `delay_ms` later.
weights_sink spawn_publisher(caf::actor_system &system, const std::shared_ptr<weight_server> &server,
                             std::int64_t delay_ms = 0);

}  // namespace slipstream
