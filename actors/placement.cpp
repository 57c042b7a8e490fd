#include "actors/placement.hpp"

#include <algorithm>
#include <set>

#include "models/error.hpp"
#include "runtime/topology/suggest.hpp"
#include "runtime/wire/endpoint.hpp"
#include "runtime/wire/weight_stream.hpp"

namespace slipstream {
namespace {

void check_actor(const preflight &checks, const actor_config &actor, const registry &kinds) {
  const auto &at = actor.nodes.front().at;
  const auto who = "[actors." + actor.name + "] ";
  if (!kinds.find(actor.kind)->placeable)
    fail_at(at, who + "is a " + actor.kind +
                    ", which runs in the run's own process; samplers, scorers, references, critics and the "
                    "ranks of a "
                    "learner can be placed. Remove node");
  if (number_key(actor, "refresh_every", 0) > 0)
    fail_at(at, who +
                    "takes checkpoints of the run's folder up when it is refreshed, and cannot be placed; "
                    "remove node or refresh_every");
  if (actor.kind == "sampler" && checks.graph().schedule.lag == lag_rule::exactly &&
      checks.contract().lead.most > 0)
    fail_at(at,
            who + "needs every version with lag = \"exactly\", and a node may skip some; remove node or lag");
  const auto replicas = actor.kind == "learner" ? static_cast<std::int64_t>(number_key(actor, "replicas", 1))
                                                : replica_count(actor);
  if (replicas < static_cast<std::int64_t>(actor.nodes.size()))
    fail_at(at, who + "has " + std::to_string(replicas) + " replicas for " +
                    std::to_string(actor.nodes.size()) +
                    " nodes; set replicas = " + std::to_string(actor.nodes.size()));
}

/// Replicas are told apart by their names, in the books and in figures.
void check_labels(const topology &graph) {
  std::set<std::string> labels;
  const auto add = [&](const actor_config &actor, const std::string &label) {
    if (!labels.insert(label).second)
      fail_at(actor.at, "[actors." + actor.name + "] there are two actors called \"" + label +
                            "\", one of them a replica; give this one another name");
  };
  for (const auto &actor : graph.actors) {
    for (std::int64_t i = 0; i < replica_count(actor); ++i) add(actor, replica_label(actor, i));
    if (actor.kind == "learner")
      for (const auto &part : placed_parts(actor)) add(actor, part.label);
  }
}

void check_chaos(const topology &graph) {
  std::set<std::string> placed;
  for (const auto &actor : graph.actors)
    for (const auto &part : placed_parts(actor)) placed.insert(part.label);
  const std::vector<std::string> names(placed.begin(), placed.end());
  for (const auto &event : graph.chaos.events)
    if (placed.count(event.replica) == 0)
      fail_at(event.at, "[chaos] \"" + event.replica + "\" runs on no node." +
                            did_you_mean(event.replica, names) + " On nodes run: " + listed(names));
  if (graph.chaos.delay_weights_ms > 0 && placed.empty())
    fail_at(graph.chaos.at, "[chaos] delay_weights holds back what goes to nodes, and no actor runs on one");
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

std::vector<placed_part> placed_parts(const actor_config &actor) {
  std::vector<placed_part> parts;
  const bool learner = actor.kind == "learner";
  const auto count =
      learner ? static_cast<std::int64_t>(number_key(actor, "replicas", 1)) : replica_count(actor);
  for (std::int64_t i = learner ? 1 : 0; i < count; ++i) {
    const auto node = replica_node(actor, i);
    if (node.empty()) continue;
    const auto before =
        std::count_if(parts.begin(), parts.end(), [&](const auto &part) { return part.node == node; });
    parts.push_back(
        {i, learner ? actor.name + "-" + std::to_string(i + 1) : replica_label(actor, i), node, before});
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

void check_links(const topology &graph) {
  if (!places_actors(graph)) return;
  const auto &nodes = graph.nodes;
  const wire_security security{nodes.certificate, nodes.key, nodes.authority, {}};
  const auto attempt = [](const source_position &at, const auto &check) {
    try {
      check();
    } catch (const input_error &problem) {
      fail_at(at, without_error_mark(problem.what()));
    }
  };
  const auto check = [&](const source_position &at, const std::string &what, const std::string &address) {
    if (!address.empty()) attempt(at, [&] { check_place(parse_endpoint(address, what), security, what); });
  };
  attempt(nodes.at, [&] { check_security(security, "[nodes]"); });
  check(nodes.at, "[nodes] listen", nodes.listen);
  check(nodes.at, "[nodes] weights", nodes.weights);
  // The folder of nodes that start on this machine; others look at theirs before they take weights.
  if (std::any_of(nodes.places.begin(), nodes.places.end(),
                  [](const auto &node) { return node.launch == "local"; }))
    attempt(nodes.at, [&] { check_spool(nodes.spool, "[nodes] spool"); });
  for (const auto &node : nodes.places) check(node.at, "[nodes." + node.name + "] address", node.address);
}

void check_placement(const preflight &checks, const registry &kinds) {
  const auto &graph = checks.graph();
  for (const auto &actor : graph.actors)
    if (!actor.nodes.empty()) check_actor(checks, actor, kinds);
  check_labels(graph);
  check_chaos(graph);
}

}  // namespace slipstream
