#include "runtime/topology/check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "runtime/topology/suggest.hpp"

namespace slipstream {

namespace {

// "advantage.grpo" is spoken of as an advantage actor: any kind of the family does the step.
std::string family_of(const std::string &kind) {
  return kind.substr(0, kind.find('.'));
}

std::string with_article(const std::string &word) {
  const bool vowel = std::string_view("aeiou").find(word.front()) != std::string_view::npos;
  return (vowel ? "an " : "a ") + word;
}

const kind_ports &ports_of(const actor_config &actor, const kind_table &kinds) {
  const auto found = kinds.find(actor.kind);
  if (found != kinds.end()) return found->second;
  std::vector<std::string> names;
  for (const auto &[name, ports] : kinds) names.push_back(name);
  fail_at(actor.kind_at, fmt::format("[actors.{}] there is no kind \"{}\".{} Kinds: {}", actor.name,
                                     actor.kind, did_you_mean(actor.kind, names), listed(names)));
}

std::string mend_for(const kind_table &kinds, const kind_ports &giver, const kind_ports &taker) {
  auto between = bridge(kinds, giver.gives, taker.accepts);
  if (between.empty()) return fmt::format("Take from an actor that gives {}.", listed(taker.accepts, "or"));
  for (auto &kind : between) kind = with_article(family_of(kind));
  return fmt::format("Put {} actor between them.", listed(between));
}

void check_edge(const actor_config &actor, const taken &edge, const topology &graph,
                const kind_table &kinds) {
  const auto &giver = ports_of(*graph.find_actor(edge.name), kinds);
  const auto &taker = ports_of(actor, kinds);
  const auto kind = with_article(family_of(actor.kind));
  if (taker.accepts.empty())
    fail_at(edge.at, fmt::format("[actors.{}] takes \"{}\", but {} takes nothing; remove takes", actor.name,
                                 edge.name, kind));
  if (giver.gives.empty())
    fail_at(edge.at,
            fmt::format("[actors.{}] takes \"{}\", but {} gives nothing; take from an actor that gives {}",
                        actor.name, edge.name, with_article(family_of(graph.find_actor(edge.name)->kind)),
                        listed(taker.accepts, "or")));
  if (!contains(taker.accepts, giver.gives))
    fail_at(edge.at,
            fmt::format("[actors.{}] takes \"{}\", which gives {}; {} takes {}. {}", actor.name, edge.name,
                        giver.gives, kind, listed(taker.accepts, "or"), mend_for(kinds, giver, taker)));
}

// Names of the file's actors that give one of `ports`, as the end of a message.
std::string candidates(const topology &graph, const kind_table &kinds,
                       const std::vector<std::string> &ports) {
  std::vector<std::string> names;
  for (const auto &actor : graph.actors)
    if (contains(ports, ports_of(actor, kinds).gives)) names.push_back(fmt::format("\"{}\"", actor.name));
  return names.empty() ? fmt::format("add an actor that gives {}", listed(ports, "or"))
                       : fmt::format("add {} to its takes", listed(names, "or"));
}

void check_inputs(const actor_config &actor, const topology &graph, const kind_table &kinds) {
  const auto &ports = ports_of(actor, kinds);
  for (const auto &edge : actor.takes) check_edge(actor, edge, graph, kinds);
  if (actor.takes.empty() && !ports.accepts.empty() && !ports.may_take_nothing)
    fail_at(actor.at, fmt::format("[actors.{}] takes nothing, but {} takes {}; {}", actor.name,
                                  with_article(family_of(actor.kind)), listed(ports.accepts, "or"),
                                  candidates(graph, kinds, ports.accepts)));
  for (const auto &need : ports.needs) {
    const bool comes = std::any_of(actor.takes.begin(), actor.takes.end(), [&](const taken &edge) {
      return ports_of(*graph.find_actor(edge.name), kinds).gives == need;
    });
    if (!comes)
      fail_at(actor.takes.empty() ? actor.at : actor.takes.front().at,
              fmt::format("[actors.{}] gets no {}, which {} cannot do without; {}", actor.name, need,
                          with_article(family_of(actor.kind)), candidates(graph, kinds, {need})));
  }
}

void check_output(const actor_config &actor, const topology &graph, const kind_table &kinds) {
  const auto &ports = ports_of(actor, kinds);
  if (ports.gives.empty() || ports.may_end_here) return;
  const bool used = std::any_of(graph.actors.begin(), graph.actors.end(), [&](const actor_config &other) {
    return std::any_of(other.takes.begin(), other.takes.end(),
                       [&](const taken &edge) { return edge.name == actor.name; });
  });
  if (!used)
    fail_at(actor.at,
            fmt::format("[actors.{0}] the output of \"{0}\" ({1}) goes nowhere; put \"{0}\" into the takes "
                        "of an actor, or remove it",
                        actor.name, ports.gives));
}

}  // namespace

actor_role role_of(const kind_ports &ports) {
  const auto takes = [&](const char *port) { return contains(ports.accepts, port); };
  if (ports.gives == port::examples) return actor_role::loader;
  if (ports.gives == port::rollouts && takes(port::examples)) return actor_role::sampler;
  if (ports.gives == port::samples) return actor_role::joiner;
  if (takes(port::samples)) return actor_role::learner;
  if (!takes(port::rollouts)) return actor_role::other;
  if (ports.gives == port::scores) return actor_role::scorer;
  if (ports.gives == port::logprobs) return actor_role::reference;
  return ports.gives == port::values ? actor_role::critic : actor_role::other;
}

std::vector<std::string> bridge(const kind_table &kinds, const std::string &port,
                                const std::vector<std::string> &accepted) {
  std::map<std::string, std::vector<std::string>> chains{{port, {}}};  // kinds on the way to a port
  std::deque<std::string> open{port};
  while (!open.empty()) {
    const auto from = open.front();
    open.pop_front();
    for (const auto &[kind, ports] : kinds) {
      // What a kind cannot do without is what it is for: a reference alone does not lead through an
      // advantage.
      const auto &entries = ports.needs.empty() ? ports.accepts : ports.needs;
      if (ports.gives.empty() || !contains(entries, from) || chains.count(ports.gives) != 0) continue;
      auto chain = chains[from];
      chain.push_back(kind);
      if (contains(accepted, ports.gives)) return chain;
      chains[ports.gives] = std::move(chain);
      open.push_back(ports.gives);
    }
  }
  return {};
}

void check_ports(const topology &graph, const kind_table &kinds) {
  for (const auto &actor : graph.actors) ports_of(actor, kinds);
  for (const auto &actor : graph.actors) check_inputs(actor, graph, kinds);
  for (const auto &actor : graph.actors) check_output(actor, graph, kinds);
  const bool learns = std::any_of(graph.actors.begin(), graph.actors.end(), [&](const actor_config &actor) {
    return role_of(ports_of(actor, kinds)) == actor_role::learner;
  });
  if (!learns)
    fail_at({graph.source.string(), 0, 0}, "no actor learns; add an actor with kind = \"learner\"");
}

}  // namespace slipstream
