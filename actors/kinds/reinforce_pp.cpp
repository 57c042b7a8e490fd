#include "runtime/kinds/reinforce_pp_keys.hpp"

#include <algorithm>

#include "actors/kinds/join_keys.hpp"
#include "actors/kinds/kinds.hpp"

namespace slipstream {

void add_reinforce_pp_kinds(registry &kinds) {
  kinds.add(kind_of(reinforce_pp_row(), [](const actor_config &config) {
    const auto options = config.keys.get<reinforce_pp_keys>().options;
    const auto weights = config.keys.get<reinforce_pp_keys>().weights;
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
  }));
}

}  // namespace slipstream
