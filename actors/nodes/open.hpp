#pragma once

#include <functional>
#include <string>

#include "actors/context.hpp"
#include "actors/nodes/links.hpp"

namespace slipstream {

link_options link_options_of(const nodes_config &nodes);

/// Opens a run to its nodes before its actors are spawned: it starts the weight streams and the actor that
/// meets the nodes (context.nodes). Returns the address where nodes join. Throws input_error or run_error
/// when a port cannot be had.
endpoint open_nodes(spawn_context &context, const std::function<void(const std::string &)> &say);

}  // namespace slipstream
