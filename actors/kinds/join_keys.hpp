#pragma once

#include <map>
#include <string>

#include "actors/context.hpp"
#include "actors/join.hpp"

namespace slipstream {

/// What the kinds that join a group's figures share: who must answer, and who takes the samples.
join_setup make_join(spawn_context &context, const std::string &name,
                     const std::map<std::string, double> &weights);

}  // namespace slipstream
