// The advantages that a critic's values are part of. A critic learns the returns of the same samples.
#include "actors/context.hpp"
#include "actors/join.hpp"
#include "actors/kinds/join_keys.hpp"
#include "actors/kinds/kinds.hpp"
#include "runtime/learning/samples.hpp"
#include "runtime/learning/vtrace.hpp"

namespace slipstream {
namespace {

vtrace_options read_vtrace(settings &s) {
  vtrace_options options;
  options.gamma = s.number("gamma", options.gamma, 0, 1);
  options.bounds.rho = s.number("rho", options.bounds.rho, 0);
  options.bounds.c = s.number("c", options.bounds.c, 0);
  options.bounds.pg_rho = s.number("pg_rho", options.bounds.pg_rho, 0);
  options.kl_in_reward = s.number("kl_in_reward", 0, 0);
  return options;
}

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

actor_kind gae_kind() {
  actor_kind kind;
  kind.name = "advantage.gae";
  kind.summary = "advantages and returns of every token by a critic's values: arXiv:1506.02438";
  kind.ports.accepts = ports<score_sink, value_sink, logprob_sink>();
  kind.ports.needs = ports<score_sink, value_sink>();
  kind.ports.gives = port_name<sample_sink>::value;
  kind.read = [](actor_config &config) {
    auto s = config.settings();
    gae_options options;
    options.gamma = s.number("gamma", options.gamma, 0, 1);
    options.lambda = s.number("lambda", options.lambda, 0, 1);
    options.kl_in_reward = s.number("kl_in_reward", 0, 0);
    const bool whiten = s.flag("whiten", true);
    const auto weights = read_weights(s, config);
    s.finish();
    config.node = s.resolved();
    const auto name = config.name;
    node_plan plan;
    plan.samples = valued_traits({});
    if (whiten) plan.samples->transforms = {normalised_advantages(statistics_scope::tokens, whitening)};
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
  };
  return kind;
}

actor_kind vtrace_kind() {
  actor_kind kind;
  kind.name = "advantage.vtrace";
  kind.summary =
      "what V-trace makes advantages and returns of when the batch is trained on: arXiv:1802.01561";
  kind.ports.accepts = ports<score_sink, value_sink, logprob_sink>();
  kind.ports.needs = ports<score_sink, value_sink>();
  kind.ports.gives = port_name<sample_sink>::value;
  kind.read = [](actor_config &config) {
    auto s = config.settings();
    const auto options = read_vtrace(s);
    const bool whiten = s.flag("whiten", true);
    const auto weights = read_weights(s, config);
    s.finish();
    config.node = s.resolved();
    const auto name = config.name;
    node_plan plan;
    plan.samples = valued_traits(vtrace_transforms(options, whiten));
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
  };
  return kind;
}

}  // namespace

void add_valued_kinds(registry &kinds) {
  kinds.add(gae_kind());
  kinds.add(vtrace_kind());
}

}  // namespace slipstream
