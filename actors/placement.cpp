#include "actors/placement.hpp"

#include <algorithm>
#include <set>

#include "runtime/wire/endpoint.hpp"

namespace slipstream {
namespace {

void check_actor(const preflight &checks, const actor_config &actor, const registry &kinds) {
  const auto &at = actor.nodes.front().at;
  const auto who = "[actors." + actor.name + "] ";
  if (!kinds.find(actor.kind)->placeable)
    fail_at(at, who + "is a " + actor.kind +
                    ", which runs in the run's own process; samplers, scorers, references and critics can be "
                    "placed. Remove node");
  if (number_key(actor, "refresh_every", 0) > 0)
    fail_at(at, who + "takes checkpoints of the run's folder up when it is refreshed, and cannot be placed; "
                      "remove node or refresh_every");
  if (actor.kind == "sampler" && checks.graph().schedule.lag == lag_rule::exactly &&
      checks.contract().lead.most > 0)
    fail_at(at, who + "needs every version with lag = \"exactly\", and a node may skip some; remove node or lag");
  if (replica_count(actor) < static_cast<std::int64_t>(actor.nodes.size()))
    fail_at(at, who + "has " + std::to_string(replica_count(actor)) + " replicas for " +
                    std::to_string(actor.nodes.size()) + " nodes; set replicas = " +
                    std::to_string(actor.nodes.size()));
}

/// Replicas are told apart by their names, in the books and in figures.
void check_labels(const topology &graph) {
  std::set<std::string> labels;
  for (const auto &actor : graph.actors)
    for (std::int64_t i = 0; i < replica_count(actor); ++i)
      if (const auto label = replica_label(actor, i); !labels.insert(label).second)
        fail_at(actor.at, "[actors." + actor.name + "] there are two actors called \"" + label +
                              "\", one of them a replica; give this one another name");
}

}  // namespace

std::int64_t replica_count(const actor_config &actor) {
  return actor.kind == "learner" ? 1 : static_cast<std::int64_t>(number_key(actor, "replicas", 1));
}

std::string replica_label(const actor_config &actor, std::int64_t index) {
  return replica_count(actor) == 1 ? actor.name : actor.name + "-" + std::to_string(index + 1);
}

std::string replica_node(const actor_config &actor, std::int64_t index) {
  if (actor.nodes.empty()) return "";
  return actor.nodes[static_cast<std::size_t>(index) % actor.nodes.size()].name;
}

bool runs_on(const actor_config &actor, const std::string &node) {
  if (actor.nodes.empty()) return node.empty();
  return std::any_of(actor.nodes.begin(), actor.nodes.end(), [&](const auto &n) { return n.name == node; });
}

bool places_actors(const topology &graph) {
  return std::any_of(graph.actors.begin(), graph.actors.end(),
                     [](const auto &actor) { return !actor.nodes.empty(); });
}

void check_links(const topology &graph) {
  if (!places_actors(graph)) return;
  const auto &nodes = graph.nodes;
  const auto what = to_string(nodes.at) + ": error: [nodes]";
  const wire_security security{nodes.certificate, nodes.key, nodes.authority, {}};
  check_security(security, what);
  check_place(parse_endpoint(nodes.listen, what + " listen"), security, what + " listen");
  if (!nodes.weights.empty())
    check_place(parse_endpoint(nodes.weights, what + " weights"), security, what + " weights");
  for (const auto &node : nodes.places)
    if (!node.address.empty()) {
      const auto where = to_string(node.at) + ": error: [nodes." + node.name + "] address";
      check_place(parse_endpoint(node.address, where), security, where);
    }
}

void check_placement(const preflight &checks, const registry &kinds) {
  const auto &graph = checks.graph();
  for (const auto &actor : graph.actors)
    if (!actor.nodes.empty()) check_actor(checks, actor, kinds);
  check_labels(graph);
}

}  // namespace slipstream
