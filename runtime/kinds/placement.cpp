#include "runtime/kinds/placement.hpp"

#include <algorithm>

namespace slipstream {

std::string replica_label(const actor_config &actor, std::int64_t index) {
  return actor.facts.replicas == 1 ? actor.name : actor.name + "-" + std::to_string(index + 1);
}

std::string replica_node(const actor_config &actor, std::int64_t index) {
  if (actor.nodes.empty()) return "";
  return actor.nodes[static_cast<std::size_t>(index) % actor.nodes.size()].name;
}

std::vector<placed_part> placed_parts(const actor_config &actor) {
  std::vector<placed_part> parts;
  const bool ranks = actor.facts.role == actor_role::learner;
  const auto count = ranks ? actor.facts.ranks : actor.facts.replicas;
  for (std::int64_t i = ranks ? 1 : 0; i < count; ++i) {
    const auto node = replica_node(actor, i);
    if (node.empty()) continue;
    const auto before =
        std::count_if(parts.begin(), parts.end(), [&](const auto &part) { return part.node == node; });
    parts.push_back(
        {i, ranks ? actor.name + "-" + std::to_string(i + 1) : replica_label(actor, i), node, before});
  }
  return parts;
}

bool runs_on(const actor_config &actor, const std::string &node) {
  if (actor.nodes.empty()) return node.empty();
  return std::any_of(actor.nodes.begin(), actor.nodes.end(), [&](const auto &n) { return n.name == node; });
}

bool places_actors(const topology &graph) {
  return std::any_of(graph.actors.begin(), graph.actors.end(),
                     [](const auto &actor) { return !placed_parts(actor).empty(); });
}

}  // namespace slipstream
