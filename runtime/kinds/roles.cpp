#include "runtime/kinds/roles.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <set>

#include "models/error.hpp"
#include "runtime/kinds/role_checks.hpp"

namespace slipstream {
namespace {

/// Tells the ports of each actor's kind, and has its keys read.
void read_actors(topology &graph, const kind_rows &kinds) {
  for (auto &actor : graph.actors) {
    const auto &kind = kinds.at(actor.kind);
    actor.facts.role = role_of(kind.ports);
    actor.facts.placeable = kind.placeable;
  }
  put_loaders_last(graph);
  find_loader(graph);
  for (auto &actor : graph.actors) kinds.at(actor.kind).read(actor);
}

}  // namespace

roles::roles(topology graph, const kind_rows &kinds) : graph_(std::move(graph)) {
  check_ports(graph_, ports_of(kinds));
  read_actors(graph_, kinds);
  check_model_names(graph_);
  check_groups(graph_);
  loader_ = &find_loader(graph_);
  learners_ = of_role(graph_, actor_role::learner);
  check_learned_once(learners_);
  const auto *main = &find_main(graph_);
  std::stable_partition(learners_.begin(), learners_.end(),
                        [&](const auto *learner) { return learner == main; });
  check_learners(graph_, learners_);
}

std::vector<learner_path> roles::learner_paths() const {
  std::vector<learner_path> places;
  for (const auto *learner : learners_) places.push_back({learner->name, learner->takes.front().name});
  return places;
}

bool roles::in_step(const actor_config &learner) const {
  return learner.takes.front().name == this->learner().takes.front().name;
}

const actor_config *roles::learner_of(const std::string &model) const {
  const auto found = std::find_if(learners_.begin(), learners_.end(),
                                  [&](const auto *learner) { return learner->facts.model == model; });
  return found == learners_.end() ? nullptr : *found;
}

const actor_config *roles::demonstrations(const actor_config &learner) const {
  return learner.takes.size() > 1 ? graph_.find_actor(learner.takes[1].name) : nullptr;
}

std::vector<const actor_config *> roles::takers(const std::string &name) const {
  std::vector<const actor_config *> result;
  for (const auto &actor : graph_.actors)
    if (std::any_of(actor.takes.begin(), actor.takes.end(), [&](const auto &t) { return t.name == name; }))
      result.push_back(&actor);
  return result;
}

std::vector<const actor_config *> roles::givers(const actor_config &actor) const {
  std::vector<const actor_config *> result;
  for (const auto &entry : actor.takes) result.push_back(graph_.find_actor(entry.name));
  return result;
}

const actor_config *roles::upstream(const actor_config &actor, actor_role role) const {
  for (const auto *giver : givers(actor)) {
    if (giver->facts.role == role) return giver;
    if (const auto *further = upstream(*giver, role)) return further;
  }
  return nullptr;
}

bool roles::feeds(const actor_config &giver, const actor_config &taker) const {
  for (const auto *other : givers(taker))
    if (other == &giver || feeds(giver, *other)) return true;
  return false;
}

std::vector<std::size_t> roles::spawn_order() const {
  std::vector<std::size_t> order;
  std::set<std::string> done;
  const std::function<void(std::size_t)> visit = [&](std::size_t index) {
    if (!done.insert(graph_.actors[index].name).second) return;
    for (const auto *taker : takers(graph_.actors[index].name))
      visit(static_cast<std::size_t>(taker - graph_.actors.data()));
    order.push_back(index);
  };
  for (std::size_t i = 0; i < graph_.actors.size(); ++i) visit(i);
  return order;
}

std::int64_t roles::group() const {
  const auto *sampler = upstream(learner(), actor_role::sampler);
  return sampler ? sampler->facts.group : 1;
}

bool roles::samples_own_policy() const {
  const auto *sampler = upstream(learner(), actor_role::sampler);
  return sampler && sampler->facts.model == learned_model();
}

source_position position_of(const actor_config &actor, const std::string &key) {
  const auto *value = actor.node.find(key);
  return value ? value->at : actor.at;
}

const actor_config *followed_learner(const roles &graph, const actor_config &actor) {
  return actor.facts.follows ? graph.learner_of(actor.facts.model) : nullptr;
}

}  // namespace slipstream
