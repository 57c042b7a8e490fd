#include "actors/sampler.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "actors/context.hpp"
#include "actors/kinds/kinds.hpp"
#include "actors/kinds/replicas.hpp"
#include "models/network/place.hpp"

namespace slipstream {
namespace {

struct sampler_keys {
  std::int64_t threads = 1, group = 1, slots = 64;
  generation_request request;
};

sampler_keys read_sampler_keys(settings &s) {
  sampler_keys keys;
  s.required_text("model");
  keys.group = s.integer("group", 1, 1, 4096);
  keys.request.samples = keys.group;
  constexpr std::int64_t most = std::int64_t{1} << 24;  // no model's context is longer
  keys.request.max_new_tokens = s.integer("max_new_tokens", 16, 1, most);
  keys.request.min_new_tokens = s.integer("min_new_tokens", 0, 0, most);
  if (keys.request.min_new_tokens > keys.request.max_new_tokens)
    s.fail("min_new_tokens", fmt::format("min_new_tokens = {} is above max_new_tokens = {}; lower it",
                                         keys.request.min_new_tokens, keys.request.max_new_tokens));
  keys.request.sampling.temperature = s.number("temperature", 1.0, 1e-3, 100.0);
  keys.slots = s.integer("slots", 64, 1, 65536);
  s.integer("replicas", 1, 1, 1024);
  keys.threads = s.integer("threads", 1, 1, 1024);
  return keys;
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
  how->request = keys.request;
  how->device = self.device;
  how->text = checks.models().describe(text_key(self, "model")).text;
  offline_part part;
  part.sampler = how;
  return part;
}

sampler_setup make_setup(spawn_context &context, const actor_config &self, const sampler_keys &keys) {
  auto &checks = context.plan;
  const auto &graph = checks.graph();
  const auto name = text_key(self, "model");
  sampler_setup setup;
  setup.engine.slots = keys.slots;
  setup.engine.on_new_weights = change_of(graph.schedule.on_new_weights);
  setup.request = keys.request;
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

void add_sampler_kind(registry &kinds) {
  actor_kind kind;
  kind.name = "sampler";
  kind.summary = "draws answers to prompts from a model, batching continuously";
  kind.ports.accepts = ports<loader_actor>();
  kind.ports.gives = port_name<rollout_sink>::value;
  kind.placeable = true;
  kind.read = [](actor_config &config) {
    auto s = config.settings();
    const auto keys = read_sampler_keys(s);
    s.finish();
    config.node = s.resolved();
    const auto name = config.name;
    node_plan plan;
    plan.verify = [=](preflight &checks) { described_model(checks, *checks.graph().find_actor(name)); };
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
  };
  kinds.add(std::move(kind));
}

}  // namespace slipstream
