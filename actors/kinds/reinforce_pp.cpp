#include "runtime/learning/reinforce_pp.hpp"

#include <algorithm>

#include "actors/kinds/join_keys.hpp"
#include "actors/kinds/kinds.hpp"

namespace slipstream {

void add_reinforce_pp_kind(registry &kinds) {
  actor_kind kind;
  kind.name = "advantage.reinforce_pp";
  kind.summary = "every token's return to go, whitened over the batch: arXiv:2501.03262";
  kind.ports.accepts = ports<score_sink, logprob_sink>();
  kind.ports.needs = ports<score_sink>();
  kind.ports.gives = port_name<sample_sink>::value;
  kind.read = [](actor_config &config) {
    auto s = config.settings();
    reinforce_pp_options options;
    options.gamma = s.number("gamma", options.gamma, 0, 1);
    options.kl_in_reward = s.number("kl_in_reward", 0, 0);
    const auto weights = read_weights(s, config);
    s.finish();
    config.node = s.resolved();
    const auto name = config.name;
    const auto finish = [=](const joined_group &joined) {
      return reinforce_pp_samples(joined, combine_scores(joined, weights), options);
    };
    node_plan plan;
    plan.verify = [=](preflight &checks) {
      const auto &self = *checks.graph().find_actor(name);
      const auto givers = checks.givers(self);
      const bool reference = std::any_of(givers.begin(), givers.end(), [](const auto *giver) {
        return giver->facts.role == actor_role::reference;
      });
      if (options.kl_in_reward > 0 && !reference)
        fail_at(self.node.find("kl_in_reward")->at,
                "[actors." + name + "] kl_in_reward needs a reference; add an actor of kind \"reference\" " +
                    "and name it in takes");
    };
    plan.spawn = [=](spawn_context &context) {
      auto setup = make_join(context, name, weights);
      setup.finish = finish;
      return context.own(name, spawn_join(context.system, std::move(setup)));
    };
    plan.offline = [=](preflight &) {
      offline_part part;
      part.samples = finish;
      return part;
    };
    auto &traits = plan.samples.emplace();
    traits.advantages = true;
    traits.transforms = {normalised_advantages(statistics_scope::tokens, whitening)};
    return plan;
  };
  kinds.add(std::move(kind));
}

}  // namespace slipstream
