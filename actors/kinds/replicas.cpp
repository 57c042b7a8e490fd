#include "actors/kinds/replicas.hpp"

#include <caf/send.hpp>

#include "actors/nodes/links.hpp"
#include "actors/nodes/proxy.hpp"
#include "actors/placement.hpp"
#include "actors/router.hpp"

namespace slipstream {
namespace {

/// The replica itself where it runs here; nothing where another process has it.
template <class Here, class Elsewhere>
void each_replica(const spawn_context &context, const actor_config &self, Here here, Elsewhere elsewhere) {
  for (std::int64_t i = 0; i < self.facts.replicas; ++i) {
    const auto label = replica_label(self, i), node = replica_node(self, i);
    if (!context.only.empty() ? label == context.only : node.empty())
      here(i, label);
    else if (context.only.empty())
      elsewhere(i, label, node);
  }
}

proxy_setup proxy_for(const spawn_context &context, const std::string &label, const std::string &node) {
  proxy_setup setup;
  setup.label = label;
  setup.node = node;
  setup.services = context.services;
  setup.nodes = context.nodes;
  setup.restarts = context.plan.graph().nodes.actor_restarts;
  return setup;
}

caf::strong_actor_ptr place(spawn_context &context, const actor_config &self, const proxy_setup &setup) {
  const auto actor = spawn_proxy(context.system, setup);
  caf::anon_send(context.nodes, place_atom::value, setup.label, self.name, setup.node, actor);
  return context.own(setup.label, actor);
}

figure_sinks sinks_of(const spawn_context &context, const std::string &name, const std::string &port) {
  figure_sinks sinks;
  if (port == port_name<score_sink>::value)
    sinks.scores = context.sinks<score_sink>(name);
  else if (port == port_name<value_sink>::value)
    sinks.values = context.sinks<value_sink>(name);
  else
    sinks.logprobs = context.sinks<logprob_sink>(name);
  return sinks;
}

/// The same ports, but everything goes through the one that shares groups out.
figure_sinks through(const figure_sinks &sinks, const router_actor &router) {
  const auto one = caf::actor_cast<caf::strong_actor_ptr>(router);
  figure_sinks result;
  if (!sinks.scores.empty()) result.scores = {caf::actor_cast<score_sink>(one)};
  if (!sinks.values.empty()) result.values = {caf::actor_cast<value_sink>(one)};
  if (!sinks.logprobs.empty()) result.logprobs = {caf::actor_cast<logprob_sink>(one)};
  return result;
}

}  // namespace

void spawn_samplers(spawn_context &context, const actor_config &self, const sampler_spawner &here) {
  each_replica(
      context, self, [&](std::int64_t, const std::string &label) { here(label); },
      [&](std::int64_t, const std::string &label, const std::string &node) {
        auto setup = proxy_for(context, label, node);
        setup.ledger = context.ledger;
        setup.sinks = context.sinks<rollout_sink>(self.name);
        if (context.plan.graph().chaos.delay_weights_ms == 0)
          setup.weights = context.weights_of(self.facts.model);
        place(context, self, setup);
      });
}

caf::strong_actor_ptr spawn_scorers(spawn_context &context, const actor_config &self, const std::string &port,
                                    const scorer_spawner &here) {
  const auto sinks = sinks_of(context, self.name, port);
  const bool alone = self.nodes.empty() && self.facts.replicas == 1;
  if (alone) return here(self.name, sinks);
  caf::strong_actor_ptr inbox;
  if (!context.only.empty()) {
    each_replica(
        context, self, [&](std::int64_t, const std::string &label) { inbox = here(label, sinks); },
        [](std::int64_t, const std::string &, const std::string &) {});
    return inbox;
  }
  const auto router = spawn_router(context.system, {sinks.scores, sinks.logprobs, sinks.values});
  inbox = context.own(self.name + " (shares out)", router);
  const auto add = [&](std::int64_t index, const caf::strong_actor_ptr &replica, bool ready) {
    caf::anon_send(router, subscribe_atom::value, index, caf::actor_cast<rollout_sink>(replica));
    if (ready) caf::anon_send(router, ready_atom::value, index);
  };
  each_replica(
      context, self,
      [&](std::int64_t i, const std::string &label) { add(i, here(label, through(sinks, router)), true); },
      [&](std::int64_t i, const std::string &label, const std::string &node) {
        auto setup = proxy_for(context, label, node);
        setup.router = router;
        setup.replica = i;
        add(i, place(context, self, setup), false);
      });
  return inbox;
}

}  // namespace slipstream
