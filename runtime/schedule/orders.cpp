#include "runtime/schedule/orders.hpp"

#include <algorithm>

namespace slipstream {
namespace {

bool full(const batch_choice &choice, const group_pool &pool) {
  return static_cast<std::int64_t>(choice.take.size()) == pool.groups_per_batch();
}

batch_choice choose_strict(const group_pool &pool, const order_state &) {
  batch_choice choice;
  for (const auto &[id, group] : pool.in_flight()) {
    if (!group.ready() || full(choice, pool)) break;
    choice.take.push_back(id);
  }
  return choice;
}

// The window moves with the oldest group in flight, so choosing an oldest one makes room behind it.
batch_choice choose_windowed(const group_pool &pool, const order_state &state) {
  batch_choice choice;
  std::vector<std::uint64_t> order;
  std::vector<bool> taken;
  for (const auto &[id, group] : pool.in_flight()) order.push_back(id);
  taken.resize(order.size(), false);
  std::size_t oldest = 0;
  for (std::size_t i = 0; i < order.size() && !full(choice, pool);) {
    const auto behind = pool.position(order[i]) - pool.position(order[oldest]);
    if (behind >= std::max<std::int64_t>(state.window, 1)) break;
    if (pool.in_flight().at(order[i]).ready()) {
      choice.take.push_back(order[i]);
      taken[i] = true;
    }
    ++i;
    while (oldest < order.size() && taken[oldest]) ++oldest;
    if (oldest == order.size()) break;
    i = std::max(i, oldest);
  }
  return choice;
}

bool is_late(const pooled_group &group, const order_state &state) {
  return state.version - group.oldest > state.late_after;
}

void forget(std::map<std::int64_t, std::int64_t> &ages, std::int64_t oldest) {
  if (--ages[oldest] == 0) ages.erase(oldest);
}

// First come first served, as long as everything else can still meet its deadline.
batch_choice choose_waiting(const group_pool &pool, const order_state &state) {
  batch_choice choice;
  auto ages = pool.ages();
  for (const auto id : pool.by_arrival()) {
    if (full(choice, pool)) break;
    const auto oldest = pool.in_flight().at(id).oldest;
    forget(ages, oldest);
    const auto left = pool.groups_per_batch() - static_cast<std::int64_t>(choice.take.size()) - 1;
    if (pool.feasible(state.version, ages, left, state.late_after))
      choice.take.push_back(id);
    else
      ++ages[oldest];
  }
  return choice;
}

batch_choice choose_completed(const group_pool &pool, const order_state &state) {
  if (state.when_late == late_rule::wait) return choose_waiting(pool, state);
  batch_choice choice;
  for (const auto id : pool.by_arrival()) {
    if (full(choice, pool)) break;
    const bool late = state.when_late == late_rule::drop && is_late(pool.in_flight().at(id), state);
    (late ? choice.late : choice.take).push_back(id);
  }
  return choice;
}

// In the order of draws, before a group come the older ones in flight and as many younger ones as may still
// overtake it, each with a place.
bool older_and_overtakers_fit(const group_pool &pool, const order_state &state, const batch_choice &choice) {
  const std::set<std::uint64_t> taken(choice.take.begin(), choice.take.end());
  std::int64_t older = 0;
  for (const auto &[id, group] : pool.in_flight()) {
    if (taken.contains(id)) continue;
    const auto younger_taken = std::distance(taken.upper_bound(id), taken.end());
    const auto overtakers =
        std::max<std::int64_t>(state.window_most - 1 - pool.overtaken_by(id) - younger_taken, 0);
    const auto deadline = group.oldest + state.late_after;
    if (older + overtakers >= (deadline - state.version) * pool.groups_per_batch()) return false;
    ++older;
  }
  return true;
}

// The order is free: the earliest deadline first. What came too late is dropped, if that is the rule.
bool deadlines_can_be_met(const group_pool &pool, const order_state &state, const batch_choice &choice) {
  if (state.when_late != late_rule::wait) return true;
  auto ages = pool.ages();
  for (const auto id : choice.take) forget(ages, pool.in_flight().at(id).oldest);
  return pool.feasible(state.version, ages, 0, state.late_after);
}

using lead_and_why = std::pair<std::int64_t, std::string>;

lead_and_why strict_lead(const schedule_rules &rules, std::int64_t) {
  return {rules.max_staleness, "groups are trained on in the order of their draws"};
}

lead_and_why windowed_lead(const schedule_rules &rules, std::int64_t groups_per_batch) {
  const auto window = std::max<std::int64_t>(rules.window.most, 1);
  const auto later = (window - 1 + groups_per_batch - 1) / groups_per_batch;
  return {rules.max_staleness - later,
          "max_staleness " + std::to_string(rules.max_staleness) + ", less " + std::to_string(later) +
              " since at most " + std::to_string(window - 1) + " younger groups can come before one, at " +
              std::to_string(groups_per_batch) + " a batch"};
}

lead_and_why completion_lead(const schedule_rules &rules, std::int64_t) {
  const auto late_after = rules.late_after.value_or(rules.max_staleness);
  const auto room = late_after > 0 ? 1 : 0;
  return {late_after - room, "late_after " + std::to_string(late_after) +
                                 (room > 0 ? ", less 1 as room to overtake; set lead for more or less" : "")};
}

}  // namespace

std::span<const order_row> order_rows() {
  static const order_row rows[] = {
      {.name = "strict",
       .summary = "in the order of the draws",
       .choose = choose_strict,
       .lead = strict_lead,
       .spares_places = older_and_overtakers_fit,
       .keys = {},
       .place_decides_batch = true},
      {.name = "windowed",
       .summary = "finished groups overtake within a window",
       .choose = choose_windowed,
       .lead = windowed_lead,
       .overtakes = true,
       .spares_places = older_and_overtakers_fit,
       .keys = {"window"},
       .place_decides_batch = true},
      {.name = "completion",
       .summary = "in the order of finishing",
       .choose = choose_completed,
       .lead = completion_lead,
       .overtakes = true,
       .spares_places = deadlines_can_be_met,
       .keys = {"when_late", "late_after"},
       .accepts_late = true,
       .meets_deadlines = true},
  };
  return rows;
}

bool may_go_short(const order_row &order, const group_pool &pool, const order_state &state,
                  const batch_choice &choice) {
  if (choice.take.empty()) return false;
  if (!state.promised || choice.take.size() == pool.in_flight().size()) return true;
  return order.spares_places && order.spares_places(pool, state, choice);
}

}  // namespace slipstream
