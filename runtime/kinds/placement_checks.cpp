#include "runtime/kinds/placement_checks.hpp"

#include <set>

#include "runtime/kinds/placement.hpp"
#include "runtime/topology/suggest.hpp"

namespace slipstream {
namespace {

void check_actor(const topology &graph, const staleness_contract &contract, const actor_config &actor) {
  const auto &at = actor.nodes.front().at;
  const auto who = "[actors." + actor.name + "] ";
  const auto &facts = actor.facts;
  if (!facts.placeable)
    fail_at(at, who + "is a " + actor.kind +
                    ", which runs in the run's own process; samplers, scorers, references, critics and the "
                    "ranks of a "
                    "learner can be placed. Remove node");
  if (facts.refresh_every > 0)
    fail_at(at, who +
                    "takes checkpoints of the run's folder up when it is refreshed, and cannot be placed; "
                    "remove node or refresh_every");
  if (facts.role == actor_role::sampler && graph.schedule.lag == lag_rule::exactly && contract.lead.most > 0)
    fail_at(at,
            who + "needs every version with lag = \"exactly\", and a node may skip some; remove node or lag");
  const auto replicas = facts.role == actor_role::learner ? facts.ranks : facts.replicas;
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
    for (std::int64_t i = 0; i < actor.facts.replicas; ++i) add(actor, replica_label(actor, i));
    if (actor.facts.role == actor_role::learner)
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

void check_placement(const topology &graph, const staleness_contract &contract) {
  for (const auto &actor : graph.actors)
    if (!actor.nodes.empty()) check_actor(graph, contract, actor);
  check_labels(graph);
  check_chaos(graph);
}

}  // namespace slipstream
