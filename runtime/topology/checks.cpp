#include "runtime/topology/checks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "runtime/topology/suggest.hpp"

namespace slipstream {

namespace {

template <class Config>
std::vector<std::string> names_of(const std::vector<Config> &configs) {
  std::vector<std::string> names;
  for (const auto &config : configs) names.push_back(config.name);
  return names;
}

std::string known_or_none(const std::string &what, const std::vector<std::string> &names) {
  return names.empty() ? fmt::format("The file has no {}.", what)
                       : fmt::format("The file's {}: {}.", what, listed(names));
}

void check_takes(const topology &graph) {
  for (const auto &actor : graph.actors) {
    for (std::size_t i = 0; i < actor.takes.size(); ++i) {
      const auto &[name, at] = actor.takes[i];
      if (name == actor.name)
        fail_at(at,
                fmt::format("[actors.{}] takes itself; name the actor that it gets its input from", name));
      if (graph.find_actor(name) == nullptr)
        fail_at(at, fmt::format("[actors.{}] takes \"{}\", which no actor is called.{} {}", actor.name, name,
                                did_you_mean(name, names_of(graph.actors)),
                                known_or_none("actors", names_of(graph.actors))));
      for (std::size_t j = 0; j < i; ++j)
        if (actor.takes[j].name == name)
          fail_at(at, fmt::format("[actors.{}] takes \"{}\" twice; remove one of the two", actor.name, name));
    }
  }
}

enum class mark { unseen, open, done };

// Depth first along `takes`; a name met while still open closes a cycle.
void follow(const topology &graph, std::size_t index, std::vector<mark> &marks,
            std::vector<std::size_t> &trail) {
  marks[index] = mark::open;
  trail.push_back(index);
  for (const auto &[name, at] : graph.actors[index].takes) {
    const auto next = static_cast<std::size_t>(graph.find_actor(name) - graph.actors.data());
    if (marks[next] == mark::open) {
      std::string cycle = name;  // against the trail: data flows from the taken to the taker
      for (auto i = trail.rbegin(); *i != next; ++i) cycle += " → " + graph.actors[*i].name;
      fail_at(at, fmt::format(
                      "[actors.{}] takes \"{}\" and closes a cycle that cannot run: {} → {}. Take from an "
                      "actor outside of it; weights and versions flow back by themselves",
                      graph.actors[index].name, name, cycle, name));
    }
    if (marks[next] == mark::unseen) follow(graph, next, marks, trail);
  }
  trail.pop_back();
  marks[index] = mark::done;
}

void check_cycles(const topology &graph) {
  std::vector<mark> marks(graph.actors.size(), mark::unseen);
  std::vector<std::size_t> trail;
  for (std::size_t i = 0; i < graph.actors.size(); ++i)
    if (marks[i] == mark::unseen) follow(graph, i, marks, trail);
}

void check_copies(const topology &graph) {
  for (const auto &model : graph.models) {
    if (model.source != model_config::origin::copy_of) continue;
    const auto *original = graph.find_model(model.copy_of);
    if (original == nullptr)
      fail_at(model.at,
              fmt::format("[models.{}] is a copy of \"{}\", which no model is called.{} {}", model.name,
                          model.copy_of, did_you_mean(model.copy_of, names_of(graph.models)),
                          known_or_none("models", names_of(graph.models))));
    if (original == &model)
      fail_at(model.at, fmt::format("[models.{}] is a copy of itself; give it from = \"…\"", model.name));
    if (original->source == model_config::origin::copy_of)
      fail_at(model.at,
              fmt::format("[models.{}] is a copy of \"{}\", which is itself a copy (of \"{}\", {}); copy "
                          "a model that has weights of its own",
                          model.name, model.copy_of, original->copy_of, to_string(original->at)));
  }
}

void check_nodes(const topology &graph) {
  for (const auto &actor : graph.actors)
    for (const auto &[name, at] : actor.nodes)
      if (!name.empty() && graph.nodes.find(name) == nullptr)
        fail_at(at, fmt::format("[actors.{}] node = \"{}\" is no node of the file.{} {} Add [nodes.{}]",
                                actor.name, name, did_you_mean(name, names_of(graph.nodes.members)),
                                known_or_none("nodes", names_of(graph.nodes.members)), name));
}

}  // namespace

void check_structure(const topology &graph) {
  check_nodes(graph);
  check_takes(graph);
  check_cycles(graph);
  check_copies(graph);
}

}  // namespace slipstream
