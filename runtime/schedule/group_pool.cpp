#include "runtime/schedule/group_pool.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "models/error.hpp"

namespace slipstream {
namespace {

[[noreturn]] void defect(std::uint64_t id, const std::string &what) {
  throw run_error("buffer: group " + std::to_string(id) + " " + what);
}

template <class Entry>
std::int64_t oldest_of(const std::vector<Entry> &entries, std::int64_t otherwise) {
  std::optional<std::int64_t> oldest;
  for (const auto &entry : entries)
    for (const auto *versions : {&entry.versions, &entry.cache_versions})
      for (const auto version : *versions) oldest = std::min(oldest.value_or(version), version);
  return oldest.value_or(otherwise);
}

}  // namespace

std::int64_t oldest_version(const sample_group &group, std::int64_t otherwise) {
  return oldest_of(group.samples, otherwise);
}

std::int64_t oldest_version(const rollout_group &group) {
  return oldest_of(group.rollouts, group.min_version);
}

group_pool::group_pool(std::int64_t groups_per_batch) : groups_per_batch_(groups_per_batch) {}

void group_pool::draw(std::uint64_t id, std::int64_t min_version) {
  if (consumed_.contains(id) || !in_flight_.emplace(id, pooled_group{min_version, min_version, 0, {}}).second)
    defect(id, "was drawn twice");
  ++ages_[min_version];
}

void group_pool::put(sample_group_ptr group) {
  const auto id = group->id;
  const auto found = in_flight_.find(id);
  if (found == in_flight_.end()) defect(id, "arrived without having been drawn, or after it had gone");
  if (found->second.ready()) defect(id, "arrived twice");
  forget_age(found->second.oldest);
  found->second.oldest = oldest_version(*group, found->second.min_version);
  ++ages_[found->second.oldest];
  found->second.arrival = ++arrived_;
  found->second.group = std::move(group);
  arrivals_.emplace(arrived_, id);
}

void group_pool::drop(std::uint64_t id) {
  const auto found = in_flight_.find(id);
  if (found == in_flight_.end()) defect(id, "was dropped, but is not in flight");
  if (found->second.ready()) arrivals_.erase(found->second.arrival);
  forget_age(found->second.oldest);
  in_flight_.erase(found);
  forget_before_oldest();
}

std::vector<sample_group_ptr> group_pool::take(const std::vector<std::uint64_t> &ids) {
  std::vector<sample_group_ptr> taken;
  for (const auto id : ids) {
    const auto found = in_flight_.find(id);
    if (found == in_flight_.end() || !found->second.ready()) defect(id, "was taken, but is not there");
    taken.push_back(std::move(found->second.group));
    arrivals_.erase(found->second.arrival);
    forget_age(found->second.oldest);
    in_flight_.erase(found);
    consumed_.insert(id);
  }
  forget_before_oldest();
  return taken;
}

void group_pool::consumed(std::uint64_t id) {
  consumed_.insert(id);
}

void group_pool::forget_before_oldest() {
  if (in_flight_.empty())
    consumed_.clear();
  else
    consumed_.erase(consumed_.begin(), consumed_.lower_bound(in_flight_.begin()->first));
}

void group_pool::forget_age(std::int64_t oldest) {
  const auto found = ages_.find(oldest);
  if (--found->second == 0) ages_.erase(found);
}

std::int64_t group_pool::overtaken_by(std::uint64_t id) const {
  return std::distance(consumed_.upper_bound(id), consumed_.end());
}

std::vector<std::uint64_t> group_pool::by_arrival() const {
  std::vector<std::uint64_t> ids;
  for (const auto &[arrival, id] : arrivals_) ids.push_back(id);
  return ids;
}

std::int64_t group_pool::position(std::uint64_t id) const {
  return std::distance(in_flight_.begin(), in_flight_.lower_bound(id)) +
         std::distance(consumed_.begin(), consumed_.lower_bound(id));
}

bool group_pool::feasible(std::int64_t version, const std::map<std::int64_t, std::int64_t> &ages,
                          std::int64_t places_left, std::int64_t late_after) const {
  std::int64_t due = 0;  // up to a deadline, that many groups must have had a place
  for (const auto &[oldest, groups] : ages) {
    const auto until = oldest + late_after - version;
    due += groups;
    if (until < 0 || due > places_left + until * groups_per_batch_) return false;
  }
  return true;
}

bool group_pool::feasible(std::int64_t version, const std::set<std::uint64_t> &taken,
                          std::int64_t places_left, std::int64_t late_after) const {
  auto rest = ages_;
  for (const auto id : taken)
    if (const auto found = in_flight_.find(id); found != in_flight_.end()) --rest[found->second.oldest];
  std::erase_if(rest, [](const auto &each) { return each.second == 0; });
  return feasible(version, rest, places_left, late_after);
}

}  // namespace slipstream
