// The advantages that a critic's values are part of. A critic learns the returns of the same samples.
#include "actors/context.hpp"
#include "actors/join.hpp"
#include "actors/kinds/join_keys.hpp"
#include "actors/kinds/kinds.hpp"
#include "runtime/kinds/valued_keys.hpp"
#include "runtime/learning/samples.hpp"
#include "runtime/learning/vtrace.hpp"

namespace slipstream {
namespace {

sample_traits valued_traits(std::vector<batch_transform> transforms) {
  sample_traits traits;
  traits.advantages = traits.returns = true;
  traits.transforms = std::move(transforms);
  return traits;
}

/// One critic, and a reference where the reward takes its divergence off.
void check_inputs(const preflight &checks, const actor_config &self, double kl_in_reward) {
  std::size_t critics = 0;
  bool reference = false;
  for (const auto *giver : checks.givers(self)) {
    critics += giver->facts.role == actor_role::critic ? 1 : 0;
    reference = reference || giver->facts.role == actor_role::reference;
  }
  if (critics > 1) fail_at(self.at, "[actors." + self.name + "] takes from two critics; keep one of them");
  if (kl_in_reward > 0 && !reference)
    fail_at(self.node.find("kl_in_reward")->at,
            "[actors." + self.name +
                "] kl_in_reward needs a reference; add an actor of kind \"reference\" and " +
                "name it in takes");
}

node_plan plan_gae(const actor_config &config) {
  const auto &keys = config.keys.get<gae_keys>();
  const auto options = keys.options;
  const auto weights = keys.weights;
  const auto name = config.name;
  node_plan plan;
  plan.samples = valued_traits({});
  if (keys.whiten) plan.samples->transforms = {normalised_advantages(statistics_scope::tokens, whitening)};
  plan.verify = [=](preflight &checks) {
    check_inputs(checks, *checks.graph().find_actor(name), options.kl_in_reward);
  };
  plan.spawn = [=](spawn_context &context) {
    auto setup = make_join(context, name, weights);
    setup.finish = [weights, options](const joined_group &joined) {
      return gae_samples(joined, combine_scores(joined, weights), options);
    };
    return context.own(name, spawn_join(context.system, std::move(setup)));
  };
  return plan;
}

node_plan plan_vtrace(const actor_config &config) {
  const auto &keys = config.keys.get<vtrace_keys>();
  const auto options = keys.options;
  const auto weights = keys.weights;
  const auto name = config.name;
  node_plan plan;
  plan.samples = valued_traits(vtrace_transforms(options, keys.whiten));
  plan.samples->corrected_by = "vtrace";
  plan.samples->of_newest_policy = true;
  plan.samples->tell_loss = [options](objective_options &loss) { loss.vtrace = options.bounds; };
  plan.verify = [=](preflight &checks) {
    check_inputs(checks, *checks.graph().find_actor(name), options.kl_in_reward);
  };
  plan.spawn = [=](spawn_context &context) {
    auto setup = make_join(context, name, weights);
    setup.finish = [weights](const joined_group &joined) {
      return vtrace_samples(joined, combine_scores(joined, weights));
    };
    return context.own(name, spawn_join(context.system, std::move(setup)));
  };
  return plan;
}

}  // namespace

void add_valued_kinds(registry &kinds) {
  kinds.add(kind_of(gae_row(), plan_gae));
  kinds.add(kind_of(vtrace_row(), plan_vtrace));
}

}  // namespace slipstream
