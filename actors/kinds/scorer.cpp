#include "actors/scorer.hpp"

#include <fmt/format.h>

#include "actors/context.hpp"
#include "actors/kinds/kinds.hpp"
#include "actors/kinds/replicas.hpp"
#include "models/files/checkpoint.hpp"
#include "models/network/group_forward.hpp"
#include "models/network/place.hpp"
#include "runtime/kinds/scorer_keys.hpp"
#include "runtime/scoring/countdown.hpp"
#include "runtime/scoring/number.hpp"
#include "runtime/scoring/text_rules.hpp"

namespace slipstream {
namespace {

text_unit unit_of(counted unit) {
  if (unit == counted::tokens) return text_unit::tokens;
  return unit == counted::words ? text_unit::words : text_unit::characters;
}

/// A rule of each answer by its place in the group.
template <class Score>
group_rule each_answer(Score score) {
  return [score](const rollout_group &group) {
    std::vector<double> scores;
    for (std::size_t i = 0; i < group.texts.size(); ++i) scores.push_back(score(group, i));
    return scores;
  };
}

group_rule contains_of(const rule_scorer_keys &keys) {
  const contains_rule rule{keys.texts, keys.without, keys.any, keys.ignore_case};
  const bool expected = keys.texts.empty() && keys.without.empty();
  return each_answer([rule, expected](const rollout_group &group, std::size_t i) {
    auto own = rule;
    if (expected) own.wanted = {group.source->answer};
    return own(group.texts[i]);
  });
}

group_rule rule_of(const rule_scorer_keys &keys) {
  const auto compared = [](text_score rule) {
    return [rule](const rollout_group &group) { return text_scores(rule, group); };
  };
  switch (keys.rule) {
    case scoring_rule::exact_match:
      return compared(exact_match);
    case scoring_rule::edit_similarity:
      return compared(edit_similarity);
    case scoring_rule::countdown:
      return [partial = keys.partial](const rollout_group &group) {
        std::vector<double> scores;
        for (const auto &text : group.texts) scores.push_back(countdown(text, group.source->answer, partial));
        return scores;
      };
    case scoring_rule::number:
      return each_answer(
          [rule = number_rule{keys.mark, keys.tolerance, keys.partial}](const auto &group, auto i) {
            return number_score(group.texts[i], group.source->answer, rule);
          });
    case scoring_rule::format:
      return each_answer([rule = format_rule(keys.patterns, keys.scores)](const auto &group, auto i) {
        return rule(group.texts[i]);
      });
    case scoring_rule::length:
      return each_answer(
          [unit = unit_of(keys.unit), limit = keys.limit, least = keys.least](const auto &group, auto i) {
            return length_score(text_length(group, i, unit), limit, least);
          });
    case scoring_rule::contains:
      return contains_of(keys);
    case scoring_rule::repetition:
      return each_answer([n = keys.n, unit = unit_of(keys.unit)](const auto &group, auto i) {
        return repetition_score(group, i, n, unit);
      });
    case scoring_rule::overlong:
      break;
  }
  return [longest = keys.max_length, cache = keys.cache](const rollout_group &group) {
    return overlong_scores(group, longest, cache);
  };
}

group_rule checked_rule(const actor_config &config) {
  try {
    return rule_of(config.keys.get<rule_scorer_keys>());
  } catch (const input_error &problem) {  // a pattern that is none
    const auto *patterns = config.node.find("patterns");
    fail_at(patterns ? patterns->at : config.at, "[actors." + config.name + "] patterns: " + problem.what());
  }
}

node_plan plan_rule_scorer(const actor_config &config) {
  const auto rule = checked_rule(config);
  node_plan plan;
  plan.spawn = [rule, name = config.name](spawn_context &context) {
    return spawn_scorers(context, *context.plan.graph().find_actor(name), port_name<score_sink>::value,
                         [&](const std::string &label, const figure_sinks &sinks) {
                           return context.own(label,
                                              spawn_text_scorer(context.system, context.detached, name, rule,
                                                                sinks.scores, context.services.waits));
                         });
  };
  plan.offline = [rule](preflight &) {
    offline_part part;
    part.scores = rule;
    return part;
  };
  return plan;
}

using model_spawner = caf::strong_actor_ptr (*)(caf::actor_system &, bool, const model_scorer_setup &);

model_spawner spawner_of(scoring_task asked) {
  switch (asked) {
    case scoring_task::reward:
      return spawn_reward_scorer;
    case scoring_task::value:
      return spawn_critic;
    case scoring_task::reference:
      break;
  }
  return spawn_reference;
}

/// What a refreshed reference needs: weights of the policy's shape, and, to go on with after a kill, a
/// checkpoint of every version that it takes.
void check_refresh(preflight &checks, const actor_config &self, std::int64_t every) {
  if (every == 0) return;
  const auto &at = self.node.find("refresh_every")->at;
  const auto checkpoints = checks.graph().run.checkpoint_every;
  if (checkpoints == 0 || every % checkpoints != 0)
    fail_at(at,
            "[actors." + self.name + "] takes the policy's weights every " + std::to_string(every) +
                " versions, and a run that goes on needs them from a checkpoint; set checkpoint_every = " +
                std::to_string(every) + " in [run], or to a divisor of it");
  if (!checks.samples_own_policy())
    fail_at(at, "[actors." + self.name + "] cannot be refreshed: the sampler's model is not being trained");
  const auto &policy = checks.models().describe(checks.learned_model()).spec;
  auto own = described_model(checks, self).spec;
  own.eos_tokens = policy.eos_tokens;  // a scorer generates nothing
  if (!(own == policy))
    fail_at(at, "[actors." + self.name + "] takes the weights of \"" + checks.learned_model() +
                    "\" from time to time, but its own model has another shape; use copy_of = \"" +
                    checks.learned_model() + "\"");
}

/// The newest weights of the policy that the reference took before the run goes on.
void take_up(spawn_context &context, model_scorer_setup &setup) {
  setup.version = 0;
  if (!context.resumed) return;
  setup.version = context.resumed->history.version() / setup.refresh_every * setup.refresh_every;
  if (setup.version == 0) return;
  const auto folder = context.paths.checkpoints / fmt::format("step-{:06}", setup.version);
  const auto weights =
      std::make_shared<const transformer>(load_checkpoint(folder).network(context.plan.graph().run.numerics));
  setup.model = place(weights, setup.device, setup.mode);
}

void check_model(preflight &checks, const actor_config &self, const model_scorer_keys &keys) {
  const auto &at = self.node.find("model")->at;
  if (keys.needs_head() && described_model(checks, self).spec.labels != 1)
    fail_at(at, "[actors." + self.name + "] needs a model with a score head; give a reward model, or " +
                    "head = \"score\" in its [models] table");
  if (keys.asked != scoring_task::value) return;
  const auto *learner = followed_learner(checks, self);
  if (!learner)
    checks.note("[actors." + self.name +
                "] values answers by a model that nobody trains; a learner with loss = " + "\"value\" would");
  else if (!checks.in_step(*learner))
    fail_at(at, "[actors." + self.name + "] follows [actors." + learner->name +
                    "], which does not train on the policy's batches; let it take from \"" +
                    checks.learner().takes.front().name + "\", as [actors." + checks.learner().name +
                    "] does");
}

/// Of several references that an actor takes from, each line has one.
void check_teaching(const preflight &checks, const actor_config &self, const std::string &teaches) {
  for (const auto *taker : checks.takers(self.name))
    for (const auto *other : checks.givers(*taker)) {
      if (other == &self || other->facts.role != self.facts.role) continue;
      if (teaches.empty() || other->facts.teaches == teaches)
        fail_at(self.at, "[actors." + self.name + "] and [actors." + other->name +
                             "] would both answer to a line, and [actors." + taker->name +
                             "] takes one answer; write teaches = \"…\" in each of them, and who is a "
                             "line's teacher in its field \"teacher\"");
    }
}

/// The temperature that the answers were sampled with.
double temperature_of(const preflight &plan, const actor_config &self) {
  return plan.upstream(self, actor_role::sampler)->facts.temperature;
}

model_scorer_setup make_setup(spawn_context &context, const actor_config &self,
                              const model_scorer_keys &keys) {
  auto &plan = context.plan;
  model_scorer_setup setup;
  setup.share = context.share(self.name, keys.threads);
  setup.name = self.name;
  setup.device = self.device;
  setup.mode = plan.graph().run.numerics;
  setup.model_name = keys.model;
  if (self.facts.follows) setup.weights = context.weights_of(setup.model_name);
  if (setup.weights)
    setup.in_step = plan.in_step(*plan.learner_of(setup.model_name));
  else
    setup.model = place(plan.models().load(setup.model_name), self.device, setup.mode);
  setup.temperature = temperature_of(plan, self);
  if (keys.refresh_every == 0) return setup;
  setup.refresh_every = keys.refresh_every;
  setup.weights = context.weights_of(plan.learned_model());
  take_up(context, setup);
  return setup;
}

/// A fixed model's figures of a group.
offline_part offline(preflight &checks, const actor_config &self, bool needs_head,
                     const std::string &teaches) {
  if (followed_learner(checks, self))
    fail_at(self.kind_at,
            "[actors." + self.name + "] scored with a model that moved, and cannot be asked again");
  const auto model = place(checks.models().load(self.facts.model), self.device, checks.graph().run.numerics);
  const auto temperature = temperature_of(checks, self);
  offline_part part;
  if (needs_head)
    part.scores = [=](const rollout_group &group) {
      return answer_scores(*model, group.prompt_tokens, group.rollouts);
    };
  else
    part.logprobs = [=](const rollout_group &group) -> std::vector<std::vector<float>> {
      if (!teaches.empty() && group.source->teacher != teaches) return {};
      return answer_logprobs(*model, group.prompt_tokens, group.rollouts, temperature);
    };
  return part;
}

/// `gives`: the port of the kind.
node_plan plan_model_scorer(const actor_config &config, const std::string &gives) {
  const auto keys = config.keys.get<model_scorer_keys>();
  const auto name = config.name;
  node_plan plan;
  plan.verify = [=](preflight &checks) {
    const auto &self = *checks.graph().find_actor(name);
    check_model(checks, self, keys);
    check_refresh(checks, self, keys.refresh_every);
    if (keys.asked == scoring_task::reference) check_teaching(checks, self, keys.teaches);
  };
  plan.spawn = [=](spawn_context &context) {
    const auto &self = *context.plan.graph().find_actor(name);
    std::optional<model_scorer_setup> setup;  // its model is loaded where it is needed
    const auto here = [&](const std::string &label, const figure_sinks &sinks) {
      if (!setup) setup = make_setup(context, self, keys);
      setup->share = context.share(label, keys.threads);
      setup->score_sinks = sinks.scores;
      setup->value_sinks = sinks.values;
      setup->logprob_sinks = sinks.logprobs;
      return context.own(label, spawner_of(keys.asked)(context.system, context.detached, *setup));
    };
    const auto inbox = spawn_scorers(context, self, gives, here);
    if (keys.teaches.empty() || !context.only.empty()) return inbox;
    return context.own(name + " (its lines)",
                       spawn_line_filter(context.system, keys.teaches, caf::actor_cast<rollout_sink>(inbox)));
  };
  if (keys.asked == scoring_task::value) return plan;
  plan.offline = [=](preflight &checks) {
    const auto &self = *checks.graph().find_actor(name);
    if (keys.refresh_every > 0)
      fail_at(self.kind_at, "[actors." + name + "] changed during the run, and cannot be asked again");
    return offline(checks, self, keys.needs_head(), keys.teaches);
  };
  return plan;
}

}  // namespace

void add_scorer_kinds(registry &kinds) {
  for (const auto &row : rule_scorer_rows()) kinds.add(kind_of(row, plan_rule_scorer));
  for (const auto &row : model_scorer_rows())
    kinds.add(kind_of(row, [gives = row.ports.gives](const actor_config &config) {
      return plan_model_scorer(config, gives);
    }));
}

}  // namespace slipstream
