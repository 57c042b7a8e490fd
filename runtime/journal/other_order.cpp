#include "runtime/journal/other_order.hpp"

#include <algorithm>
#include <utility>

#include "runtime/schedule/schedule_controller.hpp"

namespace slipstream {
namespace {

// Feedback would have changed the number differently, so the number stays where it began.
std::int64_t window_at(const schedule_number &window, std::int64_t version) {
  return window.how == schedule_number::kind::ramp ? ramp_value(window, version) : window.first;
}

}  // namespace

other_order::other_order(order_rule choose, schedule_rules rules, std::int64_t groups_per_batch)
    : choose_(std::move(choose)), rules_(std::move(rules)), pool_(groups_per_batch) {}

void other_order::read(const journal_record &record) {
  const auto in_flight = [this](std::uint64_t id) { return pool_.in_flight().contains(id); };
  const auto ready = [&](std::uint64_t id) { return pool_.in_flight().at(id).ready(); };
  if (const auto *opened = std::get_if<run_opened>(&record.event); opened && !opened->learners.empty())
    main_ = opened->learners.front();
  if (const auto *drawn = std::get_if<prompt_drawn>(&record.event)) {
    pool_.draw(drawn->id, drawn->min_version);
  } else if (const auto *kept = std::get_if<group_kept>(&record.event)) {
    if (kept->path == main_.path && in_flight(kept->group->id) && !ready(kept->group->id))
      pool_.put(kept->group);
  } else if (const auto *gone = std::get_if<path_dropped>(&record.event)) {
    if (gone->path == main_.path && in_flight(gone->id) && !ready(gone->id)) pool_.drop(gone->id);
  } else if (const auto *moved = std::get_if<prompt_moved>(&record.event)) {
    if (moved->to == rollout_state::dropped && in_flight(moved->id) && !ready(moved->id))
      pool_.drop(moved->id);
  } else if (const auto *batch = std::get_if<batch_consumed>(&record.event)) {
    if (batch->learner == main_.learner) given_.insert(batch->version);
  }
}

std::optional<std::vector<sample_group_ptr>> other_order::take(std::int64_t version) {
  if (taken_ >= static_cast<std::int64_t>(given_.size())) return {};
  order_state state;
  state.version = version;
  state.window = window_at(rules_.window, version);
  state.late_after = rules_.late_after.value_or(rules_.max_staleness);
  state.when_late = rules_.when_late;
  auto choice = choose_(pool_, state);
  for (const auto id : choice.late) pool_.drop(id);
  late_ += static_cast<std::int64_t>(choice.late.size());
  if (static_cast<std::int64_t>(choice.take.size()) < pool_.groups_per_batch()) return {};
  ++taken_;
  auto groups = pool_.take(choice.take);
  for (const auto &group : groups) measure(*group, version);
  return groups;
}

void other_order::measure(const sample_group &group, std::int64_t version) {
  bool later = false;
  for (const auto &each : group.samples)
    for (const auto made_by : each.versions) later = later || made_by > version;
  too_old_ += version - oldest_version(group, version) > rules_.max_staleness ? 1 : 0;
  from_later_ += later ? 1 : 0;
}

}  // namespace slipstream
