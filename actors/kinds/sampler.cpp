#include "actors/sampler.hpp"

#include <algorithm>

#include "actors/context.hpp"
#include "actors/kinds/kinds.hpp"
#include "actors/kinds/replicas.hpp"
#include "models/network/place.hpp"
#include "runtime/kinds/sampler_keys.hpp"

namespace slipstream {
namespace {

generation_request request_of(const sampler_keys &keys) {
  generation_request request;
  request.samples = keys.group;
  request.max_new_tokens = keys.max_new_tokens;
  request.min_new_tokens = keys.min_new_tokens;
  request.sampling = {keys.temperature, keys.top_k, keys.top_p, keys.min_p};
  return request;
}

weight_change change_of(new_weights rule) {
  switch (rule) {
    case new_weights::finish:
      return weight_change::finish;
    case new_weights::recompute:
      return weight_change::recompute;
    case new_weights::carry_on:
      break;
  }
  return weight_change::keep_cache;
}

offline_part offline(preflight &checks, const actor_config &self, const sampler_keys &keys) {
  auto how = std::make_shared<offline_sampler>();
  how->engine.slots = keys.slots;
  how->engine.weights = keys.weights;
  how->request = request_of(keys);
  how->device = self.device;
  how->text = checks.models().describe(keys.model).text;
  offline_part part;
  part.sampler = how;
  return part;
}

sampler_setup make_setup(spawn_context &context, const actor_config &self, const sampler_keys &keys) {
  auto &checks = context.plan;
  const auto &graph = checks.graph();
  const auto &name = keys.model;
  sampler_setup setup;
  setup.engine.slots = keys.slots;
  setup.engine.weights = keys.weights;
  setup.engine.on_new_weights = change_of(graph.schedule.on_new_weights);
  setup.request = request_of(keys);
  setup.request.seed = graph.run.seed;
  setup.mode = graph.run.numerics;
  setup.device = self.device;
  setup.text = checks.models().describe(name).text;
  setup.ledger = context.ledger;
  setup.weights = context.weights_of(name);
  setup.follows = static_cast<bool>(setup.weights);
  if (!setup.follows) setup.fixed = std::make_shared<snapshot>(snapshot{0, checks.models().load(name)});
  setup.exact_lag = graph.schedule.lag == lag_rule::exactly;
  setup.lead = checks.contract().lead.most;
  setup.notes_progress = checks.keeps_partial();
  setup.places = 2 * std::max<std::int64_t>(keys.slots / keys.group, 1);  // as many wait as run
  setup.sinks = context.sinks<rollout_sink>(self.name);
  return setup;
}

}  // namespace

void add_sampler_kinds(registry &kinds) {
  kinds.add(kind_of(sampler_row(), [](const actor_config &config) {
    const auto keys = config.keys.get<sampler_keys>();
    const auto name = config.name;
    node_plan plan;
    plan.verify = [=](preflight &checks) {
      const auto &self = *checks.graph().find_actor(name);
      described_model(checks, self);
      if (self.facts.rounds_weights && self.device != "cpu")
        fail_at(position_of(self, "weights"),
                "[actors." + name +
                    "] weights are rounded on the cpu only; leave the key out, or use device = \"cpu\"");
    };
    plan.spawn = [=](spawn_context &context) -> caf::strong_actor_ptr {
      const auto &self = *context.plan.graph().find_actor(name);
      std::optional<sampler_setup> setup;  // its model is loaded where it is needed
      spawn_samplers(context, self, [&](const std::string &label) {
        if (!setup) setup = make_setup(context, self, keys);
        setup->share = context.share(label, keys.threads);
        context.own(label, spawn_sampler(context.system, context.detached, *setup));
      });
      return nullptr;  // samplers ask the ledger for prompts
    };
    plan.offline = [=](preflight &checks) { return offline(checks, *checks.graph().find_actor(name), keys); };
    return plan;
  }));
}

}  // namespace slipstream
