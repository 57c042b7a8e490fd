#include "runtime/kinds/checked_topology.hpp"

#include <fmt/format.h>

#include <cmath>

#include "runtime/kinds/order_keys.hpp"
#include "runtime/kinds/placement_checks.hpp"

namespace slipstream {
namespace {

/// A window given as a share of the batch, in groups.
schedule_rules in_groups(const schedule_config &schedule, std::int64_t groups_per_batch) {
  schedule_rules rules = schedule;
  if (schedule.window_share > 0)
    rules.window = schedule_number::constant(std::max<std::int64_t>(
        1, std::llround(schedule.window_share * static_cast<double>(groups_per_batch))));
  return rules;
}

/// What lets the batch of a group change after its draw breaks an exact lag.
void check_exact_lag(const topology &graph, const actor_config &path) {
  if (graph.schedule.lag != lag_rule::exactly || !path.facts.drops_equal_rewards) return;
  const auto &key = path.facts.drops_by;
  fail_at(
      key.empty() ? path.kind_at : position_of(path, key),
      fmt::format("[actors.{}] drops groups that are rated alike, and with lag = \"exactly\" the batch of a "
                  "group must be known when it is drawn; remove lag, or {}",
                  path.name, key.empty() ? "use an advantage.* actor" : "write " + key + " = \"skip\""));
}

}  // namespace

checked_topology::checked_topology(topology graph, const kind_rows &kinds, const order_table &orders)
    : roles(std::move(graph), kinds), order_(find_order(graph_, orders)) {
  rules_ = in_groups(graph_.schedule, groups_per_batch());
  check_exact_lag(graph_, *graph_.find_actor(learner().takes.front().name));
  auto derived = derive_contract(rules_, order_, group());
  if (derived.fault)
    fail_at(graph_.schedule.position(derived.fault->key), "[schedule] " + derived.fault->message);
  contract_ = std::move(derived.contract);
  check_placement(graph_, contract_);
  check_capacity();
}

/// Where a learner keeps a pace of its own, an unfinished batch of its may stand in the way of the main
/// one's.
void checked_topology::check_capacity() const {
  const auto &schedule = graph_.schedule;
  const auto &all = learners();
  const bool one_pace = std::all_of(all.begin(), all.end(), [&](const auto *each) { return in_step(*each); });
  if (one_pace || schedule.max_in_flight == 0 || schedule.max_in_flight >= 2 * schedule.batch) return;
  fail_at(
      schedule.position("max_in_flight"),
      fmt::format("[schedule] max_in_flight = {} could leave the learners waiting for each other: they take "
                  "from several actors, and an unfinished batch of one must not stand in the way of "
                  "another's; set it to {} or more",
                  schedule.max_in_flight, 2 * schedule.batch));
}

bool checked_topology::waits_for(const std::set<std::string> &earlier) const {
  return std::any_of(graph_.models.begin(), graph_.models.end(), [&](const auto &model) {
    return model.from.starts_with("run:") && earlier.contains(model.from.substr(4));
  });
}

schedule_controller checked_topology::controller() const {
  return {{{"lead", contract_.lead}, {"window", rules_.window}, {"publish_every", rules_.publish_every}},
          rules_.guards};
}

order_buffer checked_topology::buffer() const {
  order_state settings;
  settings.window = rules_.window.first;
  settings.window_most = rules_.window.most;
  settings.late_after = contract_.late_after;
  settings.when_late = rules_.when_late;
  settings.promised = staleness_bound().has_value();
  return {order_, settings, groups_per_batch()};
}

order_buffer checked_topology::side_buffer() const {
  order_state settings;
  settings.promised = false;
  return {order_rows().front(), settings, groups_per_batch()};
}

std::optional<std::int64_t> checked_topology::staleness_bound() const {
  return samples_own_policy() ? contract_.bound : std::nullopt;
}

// A model in step with the main learner's ages as a group's oldest token does. Of one that is not: between
// the draw of a group and the batch it is trained in stand at most the rollouts in flight at its draw and
// those drawn since (docs/architecture.md); that needs an order in which the place of a draw says in which
// batch it is trained.
std::map<std::string, std::optional<std::int64_t>> checked_topology::model_bounds() const {
  std::map<std::string, std::optional<std::int64_t>> bounds;
  for (const auto &actor : graph_.actors) {
    if (const auto every = actor.facts.refresh_every; every > 0) {
      // Its newest weights are as old as a token, and were kept since.
      auto &bound = bounds[actor.name] = staleness_bound();
      if (bound) *bound += every - 1;
    }
    const auto *trains = followed_learner(*this, actor);
    if (!trains || trains == &learner() || !feeds(actor, learner())) continue;
    auto bound = staleness_bound();
    if (!in_step(*trains)) {
      if (order_.place_decides_batch && bound)
        *bound += 2 * contract_.lead.most - contract_.lead.least + 2;
      else
        bound.reset();
    }
    bounds[actor.facts.model] = bound;
  }
  return bounds;
}

std::int64_t checked_topology::in_flight_bound() const {
  const auto &schedule = graph_.schedule;
  const auto bound = schedule.batch * (contract_.lead.most + (learners().size() > 1 ? 2 : 1));
  return schedule.max_in_flight > 0 ? std::min(schedule.max_in_flight, bound) : bound;
}

}  // namespace slipstream
