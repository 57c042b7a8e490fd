#include "actors/scorer.hpp"

#include <fmt/format.h>

#include "actors/context.hpp"
#include "actors/kinds/kinds.hpp"
#include "actors/kinds/replicas.hpp"
#include "models/files/checkpoint.hpp"
#include "models/network/group_forward.hpp"
#include "models/network/place.hpp"
#include "runtime/scoring/countdown.hpp"

namespace slipstream {
namespace {

using rule_reader = group_rule (*)(settings &keys);

actor_kind rule_kind(const std::string &name, const std::string &summary, rule_reader read_rule) {
  actor_kind kind;
  kind.name = "scorer." + name;
  kind.summary = summary;
  kind.ports.accepts = ports<rollout_sink>();
  kind.ports.gives = port_name<score_sink>::value;
  kind.placeable = true;
  kind.read = [read_rule](actor_config &config) {
    auto s = config.settings();
    const auto rule = read_rule(s);
    s.integer("replicas", 1, 1, 1024);
    s.finish();
    config.node = s.resolved();
    node_plan plan;
    plan.spawn = [rule, name = config.name](spawn_context &context) {
      return spawn_judges(context, *context.plan.graph().find_actor(name), port_name<score_sink>::value,
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
  };
  return kind;
}

/// A rule that compares each answer with the line's.
template <text_score rule>
group_rule compared(settings &) {
  return [](const rollout_group &group) { return text_scores(rule, group); };
}

group_rule read_countdown(settings &s) {
  const auto partial = s.number("partial", 0, 0, 1);
  return [partial](const rollout_group &group) {
    std::vector<double> scores;
    for (const auto &text : group.texts) scores.push_back(countdown(text, group.source->answer, partial));
    return scores;
  };
}

group_rule read_overlong(settings &s) {
  const auto longest = s.required_integer("max_length", 1, 1 << 24);
  const auto cache = s.required_integer("cache", 1, 1 << 24);
  if (cache > longest)
    s.fail("cache", "cache is the part of max_length where the penalty grows; make it less");
  return [=](const rollout_group &group) { return overlong_scores(group, longest, cache); };
}

using model_spawner = caf::strong_actor_ptr (*)(caf::actor_system &, bool, const model_scorer_setup &);

/// The kinds that run a model over rollouts differ in what they ask it. All but the reference, which stays as
/// it was at the start, follow the learner of their model, if it has one.
struct model_kind {
  const char *name, *summary;
  model_spawner spawn;
  bool needs_head, follows;
};
constexpr model_kind model_kinds[] = {
    {"scorer.reward_model", "the score of a reward model's head", spawn_reward_scorer, true, true},
    {"critic", "a critic's estimate of the return before every token", spawn_critic, true, true},
    {"reference", "log-probabilities of the answers under a model that stays, for KL", spawn_reference, false,
     false},
};

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
  if (!(described_model(checks, self).spec == policy))
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

void check_model(preflight &checks, const actor_config &self, const model_kind &kind) {
  const auto &at = self.node.find("model")->at;
  if (kind.needs_head && described_model(checks, self).spec.labels != 1)
    fail_at(at, "[actors." + self.name + "] needs a model with a score head; give a reward model, or " +
                    "head = \"score\" in its [models] table");
  if (self.kind != "critic") return;
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
      if (other == &self || other->kind != self.kind) continue;
      if (teaches.empty() || text_key(*other, "teaches") == teaches)
        fail_at(self.at, "[actors." + self.name + "] and [actors." + other->name +
                             "] would both answer to a line, and [actors." + taker->name +
                             "] takes one answer; write teaches = \"…\" in each of them, and who is a "
                             "line's teacher in its field \"teacher\"");
    }
}

model_scorer_setup make_setup(spawn_context &context, const actor_config &self, const model_kind &kind,
                              std::int64_t threads, std::int64_t refresh) {
  auto &plan = context.plan;
  model_scorer_setup setup;
  setup.share = context.share(self.name, threads);
  setup.name = self.name;
  setup.device = self.device;
  setup.mode = plan.graph().run.numerics;
  setup.model_name = text_key(self, "model");
  if (kind.follows) setup.weights = context.weights_of(setup.model_name);
  if (setup.weights)
    setup.in_step = plan.in_step(*plan.learner_of(setup.model_name));
  else
    setup.model = place(plan.models().load(setup.model_name), self.device, setup.mode);
  setup.temperature = number_key(*plan.upstream(self, "sampler"), "temperature", 1.0);
  if (refresh == 0) return setup;
  setup.refresh_every = refresh;
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
  const auto model =
      place(checks.models().load(text_key(self, "model")), self.device, checks.graph().run.numerics);
  const auto temperature = number_key(*checks.upstream(self, "sampler"), "temperature", 1.0);
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

actor_kind model_scorer_kind(const model_kind &row) {
  actor_kind kind;
  kind.name = row.name;
  kind.summary = row.summary;
  kind.ports.accepts = ports<rollout_sink>();
  const bool critic = row.spawn == spawn_critic;
  kind.ports.gives = critic           ? port_name<value_sink>::value
                     : row.needs_head ? port_name<score_sink>::value
                                      : port_name<logprob_sink>::value;
  kind.placeable = true;
  kind.read = [&row, critic, gives = kind.ports.gives](actor_config &config) {
    auto s = config.settings();
    s.required_text("model");
    const auto threads = s.integer("threads", 1, 1, 1024);
    s.integer("replicas", 1, 1, 1024);
    const bool reference = row.spawn == spawn_reference;
    const auto refresh = reference ? s.integer("refresh_every", 0, 0, 1 << 20) : 0;
    const auto teaches = reference ? s.text("teaches", "") : std::string();
    s.finish();
    config.node = s.resolved();
    const auto name = config.name;
    node_plan plan;
    plan.verify = [=, &row](preflight &checks) {
      const auto &self = *checks.graph().find_actor(name);
      check_model(checks, self, row);
      check_refresh(checks, self, refresh);
      if (reference) check_teaching(checks, self, teaches);
    };
    plan.spawn = [=, &row](spawn_context &context) {
      const auto &self = *context.plan.graph().find_actor(name);
      std::optional<model_scorer_setup> setup;  // its model is loaded where it is needed
      const auto inbox =
          spawn_judges(context, self, gives, [&](const std::string &label, const figure_sinks &sinks) {
            if (!setup) setup = make_setup(context, self, row, threads, refresh);
            setup->share = context.share(label, threads);
            setup->score_sinks = sinks.scores;
            setup->value_sinks = sinks.values;
            setup->logprob_sinks = sinks.logprobs;
            return context.own(label, row.spawn(context.system, context.detached, *setup));
          });
      if (teaches.empty() || !context.only.empty()) return inbox;
      return context.own(name + " (its lines)",
                         spawn_line_filter(context.system, teaches, caf::actor_cast<rollout_sink>(inbox)));
    };
    if (!critic)
      plan.offline = [=, &row](preflight &checks) {
        const auto &self = *checks.graph().find_actor(name);
        if (refresh > 0)
          fail_at(self.kind_at, "[actors." + name + "] changed during the run, and cannot be asked again");
        return offline(checks, self, row.needs_head, teaches);
      };
    return plan;
  };
  return kind;
}

}  // namespace

void add_scorer_kinds(registry &kinds) {
  kinds.add(rule_kind("exact_match", "1 when the answer is the expected one", compared<exact_match>));
  kinds.add(rule_kind("edit_similarity", "how near the answer is to the expected one, by edits",
                      compared<edit_similarity>));
  kinds.add(rule_kind("countdown", "1 when the answer's expression makes the target of the given numbers",
                      read_countdown));
  kinds.add(rule_kind("overlong", "0 for short answers, falling to -1 at the length limit", read_overlong));
  for (const auto &row : model_kinds) kinds.add(model_scorer_kind(row));
}

}  // namespace slipstream
