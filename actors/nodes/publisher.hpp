#pragma once

#include <caf/fwd.hpp>

#include <functional>
#include <memory>
#include <string>

#include "actors/interfaces.hpp"
#include "runtime/wire/weight_stream.hpp"

namespace slipstream {

/// Follows weights actors and offers every version that they hand out to the nodes, `delay_ms` later. At its
/// end it says in a line what went over the streams.
weights_sink spawn_publisher(caf::actor_system &system, const std::shared_ptr<weight_server> &server,
                             std::int64_t delay_ms, const std::function<void(const std::string &)> &say);

}  // namespace slipstream
