#include "actors/scorer.hpp"

#include "actors/context.hpp"
#include "actors/kinds/kinds.hpp"
#include "models/network/group_forward.hpp"
#include "models/network/place.hpp"

namespace slipstream {
namespace {

actor_kind text_scorer_kind(const std::string &rule_name, const std::string &summary) {
  actor_kind kind;
  kind.name = "scorer." + rule_name;
  kind.summary = summary;
  kind.ports.accepts = ports<rollout_sink>();
  kind.ports.gives = port_name<score_sink>::value;
  kind.read = [rule = find_text_score(rule_name)](actor_config &config) {
    config.settings().finish();
    node_plan plan;
    plan.spawn = [rule, name = config.name](spawn_context &context) {
      return context.own(name,
                         spawn_text_scorer(context.system, name, rule, context.sinks<score_sink>(name)));
    };
    plan.offline = [rule](preflight &) {
      offline_part part;
      part.scores = [rule](const rollout_group &group) { return text_scores(rule, group); };
      return part;
    };
    return plan;
  };
  return kind;
}

using model_spawner = caf::strong_actor_ptr (*)(caf::actor_system &, bool, const model_scorer_setup &);

/// A fixed model's figures of a group.
offline_part offline(preflight &checks, const actor_config &self, bool needs_head) {
  const auto model =
      place(checks.models().load(text_key(self, "model")), self.device, checks.graph().run.numerics);
  const auto temperature = number_key(*checks.upstream(self, "sampler"), "temperature", 1.0);
  offline_part part;
  if (needs_head)
    part.scores = [=](const rollout_group &group) {
      return answer_scores(*model, group.prompt_tokens, group.rollouts);
    };
  else
    part.logprobs = [=](const rollout_group &group) {
      return answer_logprobs(*model, group.prompt_tokens, group.rollouts, temperature);
    };
  return part;
}

/// The two kinds that run a fixed model over rollouts differ in what they ask it.
node_plan read_model_scorer(actor_config &config, model_spawner spawn, bool needs_head) {
  auto s = config.settings();
  s.required_text("model");
  const auto threads = s.integer("threads", 1, 1, 1024);
  s.finish();
  config.node = s.resolved();
  const auto name = config.name;
  node_plan plan;
  plan.verify = [=](preflight &checks) {
    const auto &self = *checks.graph().find_actor(name);
    const auto labels = described_model(checks, self).spec.labels;
    if (needs_head && labels != 1)
      fail_at(self.node.find("model")->at, "[actors." + name +
                                               "] needs a model with a score head; give a reward " +
                                               "model, or head = \"score\" in its [models] table");
  };
  plan.spawn = [=](spawn_context &context) {
    const auto &self = *context.plan.graph().find_actor(name);
    const auto *sampler = context.plan.upstream(self, "sampler");
    model_scorer_setup setup;
    setup.share = context.share(name, threads);
    setup.model = place(context.plan.models().load(text_key(self, "model")), self.device,
                        context.plan.graph().run.numerics);
    setup.temperature = number_key(*sampler, "temperature", 1.0);
    if (needs_head)
      setup.score_sinks = context.sinks<score_sink>(name);
    else
      setup.logprob_sinks = context.sinks<logprob_sink>(name);
    return context.own(name, spawn(context.system, context.detached, setup));
  };
  plan.offline = [=](preflight &checks) {
    return offline(checks, *checks.graph().find_actor(name), needs_head);
  };
  return plan;
}

}  // namespace

void add_scorer_kinds(registry &kinds) {
  kinds.add(text_scorer_kind("exact_match", "1 when the answer is the expected one"));
  kinds.add(text_scorer_kind("edit_similarity", "how near the answer is to the expected one, by edits"));
  actor_kind reward;
  reward.name = "scorer.reward_model";
  reward.summary = "the score of a reward model's head";
  reward.ports.accepts = ports<rollout_sink>();
  reward.ports.gives = port_name<score_sink>::value;
  reward.read = [](actor_config &config) { return read_model_scorer(config, spawn_reward_scorer, true); };
  kinds.add(std::move(reward));
  actor_kind reference;
  reference.name = "reference";
  reference.summary = "log-probabilities of the answers under a fixed model, for KL";
  reference.ports.accepts = ports<rollout_sink>();
  reference.ports.gives = port_name<logprob_sink>::value;
  reference.read = [](actor_config &config) { return read_model_scorer(config, spawn_reference, false); };
  kinds.add(std::move(reference));
}

}  // namespace slipstream
