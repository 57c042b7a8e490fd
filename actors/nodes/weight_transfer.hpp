#pragma once

#include <map>
#include <memory>
#include <string>

#include "actors/preflight.hpp"
#include "runtime/messages.hpp"
#include "runtime/nodes/placement_request.hpp"
#include "runtime/wire/weight_stream.hpp"

namespace slipstream {

/// What every node is told of each replica that it is to run, encoded, by the replica's label. `weights`:
/// where the run streams them from.
std::map<std::string, std::string> make_orders(preflight &plan, const endpoint &weights);

/// Offers the weights that nodes need and that no learner trains: those of fixed models, and those below
/// adapters.
void publish_fixed(preflight &plan, const std::map<std::string, snapshot_ptr> &first, weight_server &server);

/// The names of the learned models that placed actors follow.
std::vector<std::string> followed_models(const preflight &plan);

}  // namespace slipstream
