#include "actors/join.hpp"

#include "actors/context.hpp"
#include "actors/kinds/join_keys.hpp"
#include "actors/kinds/kinds.hpp"
#include "models/objectives/advantages.hpp"
#include "runtime/kinds/joiner_keys.hpp"
#include "runtime/learning/reinforce_pp.hpp"

namespace slipstream {

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
  setup.watched_groups = watched_updates * context.plan.groups_per_batch();
  setup.say = context.say;
  setup.rewards = [weights](const joined_group &joined) { return combine_scores(joined, weights); };
  return setup;
}

namespace {

sample_traits traits_of(const advantage_row &row, bool keep_zero) {
  sample_traits traits;
  traits.advantages = true;
  traits.keep_zero = !row.over_batch && keep_zero;
  if (row.over_batch)
    traits.transforms = {normalised_advantages(statistics_scope::sequences, row.over_batch)};
  return traits;
}

node_plan plan_advantage(const actor_config &config) {
  const auto &keys = config.keys.get<advantage_keys>();
  const auto &row = *keys.row;
  const auto weights = keys.weights;
  const auto give_up_after = keys.give_up_after;
  const bool refill = keys.alike == zero_advantage_groups::refill;
  const auto name = config.name;
  const auto finish = [&row, weights](const joined_group &joined) {
    const auto rule = [&](const std::vector<double> &rewards) {
      return row.by_scorer ? group_advantages(row, joined.scores, weights) : group_advantages(row, rewards);
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
    setup.dropped_most = give_up_after * context.plan.groups_per_batch();
    if (refill) setup.finish = [finish](const joined_group &g) { return refilled_if_even(finish(g)); };
    return context.own(name, spawn_join(context.system, std::move(setup)));
  };
  plan.offline = [=](preflight &) {
    offline_part part;
    part.samples = finish;
    return part;
  };
  plan.samples = traits_of(row, keys.alike == zero_advantage_groups::keep);
  return plan;
}

node_plan plan_pairs(const actor_config &config) {
  const auto weights = config.keys.get<pairs_keys>().weights;
  const auto give_up_after = config.keys.get<pairs_keys>().give_up_after;
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
    setup.dropped_most = give_up_after * context.plan.groups_per_batch();
    setup.finish = [weights](const joined_group &joined) {
      return pair_samples(joined, combine_scores(joined, weights));
    };
    return context.own(name, spawn_join(context.system, std::move(setup)));
  };
  plan.samples.emplace().pairs = true;
  return plan;
}

}  // namespace

void add_join_kinds(registry &kinds) {
  for (const auto &row : advantage_rows_of_table()) kinds.add(kind_of(row, plan_advantage));
  kinds.add(kind_of(pairs_row(), plan_pairs));
}

}  // namespace slipstream
