#include "actors/join.hpp"

#include "actors/context.hpp"
#include "actors/kinds/join_keys.hpp"
#include "actors/kinds/kinds.hpp"
#include "models/objectives/advantages.hpp"
#include "runtime/learning/reinforce_pp.hpp"

namespace slipstream {

std::map<std::string, double> read_weights(settings &s, const actor_config &config) {
  std::map<std::string, double> weights;
  const auto *table = s.find("weights");
  if (!table) return weights;
  if (!table->as_table()) s.fail("weights", "weights is a table, such as { correct = 1.0 }");
  settings entries(*table);
  for (const auto &entry : *table->as_table()) {
    const auto taken = std::any_of(config.takes.begin(), config.takes.end(),
                                   [&](const auto &input) { return input.name == entry.key; });
    if (!taken)
      fail_at(entry.at,
              "[actors." + config.name + "] weights names \"" + entry.key + "\", which is not in takes");
    weights[entry.key] = entries.required_number(entry.key);
  }
  return weights;
}

join_setup make_join(spawn_context &context, const std::string &name,
                     const std::map<std::string, double> &weights) {
  join_setup setup;
  const auto &self = *context.plan.graph().find_actor(name);
  for (const auto *giver : context.plan.givers(self)) {
    if (giver->facts.role == actor_role::reference)
      setup.reference = true;
    else if (giver->facts.role == actor_role::critic)
      setup.values = true;
    else
      setup.scorers.insert(giver->name);
  }
  setup.sink = context.sinks<sample_sink>(name).front();
  setup.services = context.services;
  if (context.plan.learner().takes.front().name != name)
    setup.services.journal = journal_actor();  // these are not the main learner's
  constexpr std::int64_t watched_updates = 5;
  setup.name = name;
  setup.watched_updates = watched_updates;
  setup.watched_groups = watched_updates * context.plan.places();
  setup.say = context.say;
  setup.rewards = [weights](const joined_group &joined) { return combine_scores(joined, weights); };
  return setup;
}

namespace {

/// What becomes of groups whose answers are all alike. Where statistics of the batch follow, the key is of no
/// use.
std::string read_zero_groups(settings &s, const advantage_row &row) {
  return row.over_batch ? "keep" : s.choice("zero_groups", {"skip", "keep", "refill"});
}

sample_traits traits_of(const advantage_row &row, bool keep_zero) {
  sample_traits traits;
  traits.advantages = true;
  traits.keep_zero = !row.over_batch && keep_zero;
  if (row.over_batch)
    traits.transforms = {normalised_advantages(statistics_scope::sequences, row.over_batch)};
  return traits;
}

actor_kind advantage_kind(const advantage_row &row) {
  actor_kind kind;
  kind.name = "advantage." + std::string(row.name);
  kind.summary = "advantages from the rewards of a group: " + std::string(row.source);
  kind.ports.accepts = ports<score_sink, logprob_sink>();
  kind.ports.needs = ports<score_sink>();
  kind.ports.gives = port_name<sample_sink>::value;
  kind.read = [&row](actor_config &config) {
    auto s = config.settings();
    const auto weights = read_weights(s, config);
    const auto zero_groups = read_zero_groups(s, row);
    const bool refill = zero_groups == "refill";
    const auto give_up_after = row.over_batch ? 0 : s.integer("give_up_after", 20, 0, 1'000'000);
    s.finish();
    config.node = s.resolved();
    config.facts.drops_alike = refill;
    config.facts.drops_by = "zero_groups";
    const auto name = config.name;
    const auto finish = [&row, weights](const joined_group &joined) {
      const auto rule = [&](const std::vector<double> &rewards) {
        return row.of_scores ? group_advantages(row, joined.scores, weights) : group_advantages(row, rewards);
      };
      return advantage_samples(joined, combine_scores(joined, weights), rule);
    };
    node_plan plan;
    plan.verify = [=, &row](preflight &checks) {
      const auto &self = *checks.graph().find_actor(name);
      if (checks.group() < row.smallest_group)
        fail_at(self.kind_at, "[actors." + name + "] compares the answers to one prompt and needs group = " +
                                  std::to_string(row.smallest_group) + " or more in [actors." +
                                  checks.upstream(self, actor_role::sampler)->name + "], which has " +
                                  std::to_string(checks.group()));
    };
    plan.spawn = [=](spawn_context &context) {
      auto setup = make_join(context, name, weights);
      setup.finish = finish;
      setup.dropped_most = give_up_after * context.plan.places();
      if (refill) setup.finish = [finish](const joined_group &g) { return refilled_if_even(finish(g)); };
      return context.own(name, spawn_join(context.system, std::move(setup)));
    };
    plan.offline = [=](preflight &) {
      offline_part part;
      part.samples = finish;
      return part;
    };
    plan.samples = traits_of(row, zero_groups == "keep");
    return plan;
  };
  return kind;
}

actor_kind pairs_kind() {
  actor_kind kind;
  kind.name = "pairs";
  kind.summary = "the best and the worst rated answer of a group, as a pair";
  kind.ports.accepts = ports<score_sink>();
  kind.ports.gives = port_name<sample_sink>::value;
  kind.read = [](actor_config &config) {
    auto s = config.settings();
    const auto weights = read_weights(s, config);
    const auto give_up_after = s.integer("give_up_after", 20, 0, 1'000'000);
    s.finish();
    config.node = s.resolved();
    config.facts.drops_alike = true;
    const auto name = config.name;
    node_plan plan;
    plan.verify = [=](preflight &checks) {
      if (checks.group() < 2)
        fail_at(
            checks.graph().find_actor(name)->kind_at,
            "[actors." + name + "] compares the answers to one prompt: the sampler needs group = 2 or more");
    };
    plan.spawn = [=](spawn_context &context) {
      auto setup = make_join(context, name, weights);
      setup.dropped_most = give_up_after * context.plan.places();
      setup.finish = [weights](const joined_group &joined) {
        return pair_samples(joined, combine_scores(joined, weights));
      };
      return context.own(name, spawn_join(context.system, std::move(setup)));
    };
    plan.samples.emplace().pairs = true;
    return plan;
  };
  return kind;
}

}  // namespace

void add_join_kinds(registry &kinds) {
  for (const auto &row : advantage_rows()) kinds.add(advantage_kind(row));
  kinds.add(pairs_kind());
}

}  // namespace slipstream
