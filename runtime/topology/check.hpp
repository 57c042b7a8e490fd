#pragma once

#include <map>
#include <string>
#include <vector>

#include "runtime/topology/topology.hpp"

namespace slipstream {

/// The names of the values that flow along edges.
namespace port {
constexpr const char *examples = "examples", *rollouts = "rollouts", *scores = "scores",
                     *logprobs = "logprobs", *values = "values", *samples = "samples", *versions = "versions";
}

/// What a kind of actor takes and gives, by the names of its ports.
struct kind_ports {
  std::vector<std::string> accepts;  ///< any of these may come in; empty: the kind takes nothing
  std::string gives;                 ///< empty: nobody can take from it
  std::vector<std::string> needs{};  ///< each of these must come in at least once
  bool may_take_nothing = false;     ///< accepts input, but also runs without
  bool may_end_here = false;         ///< gives something, but nobody need take it
};

/// The role of an actor with these ports.
actor_role role_of(const kind_ports &ports);

/// By kind, as the registry has them.
using kind_table = std::map<std::string, kind_ports>;

/// Checks every actor's kind, every edge, outputs that go nowhere, and that something learns. Throws
/// input_error at the offending string, naming the mend.
void check_ports(const topology &graph, const kind_table &kinds);

/// The kinds to put between, shortest chain first, so that what gives `port` can feed something that accepts
/// one of `accepted`; empty when there is none.
std::vector<std::string> bridge(const kind_table &kinds, const std::string &port,
                                const std::vector<std::string> &accepted);

}  // namespace slipstream
