#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <vector>

#include "runtime/types.hpp"

namespace slipstream {

/// A group that was drawn and is neither consumed nor dropped.
struct pooled_group {
  std::int64_t min_version = 0;
  std::int64_t oldest = 0;    ///< version of its oldest token (or cache entry); min_version until it is there
  std::uint64_t arrival = 0;  ///< the number of its arrival, from 1; 0: it has not finished
  sample_group_ptr group;     ///< null until it finished

  bool ready() const { return group != nullptr; }
};

/// The groups that were drawn and not yet trained on: every order of consumption chooses from them. A pure
/// value.
class group_pool {
 public:
  /// `groups_per_batch`: groups that a batch consists of.
  explicit group_pool(std::int64_t groups_per_batch);

  void draw(std::uint64_t id, std::int64_t min_version);
  void put(sample_group_ptr group);
  void drop(std::uint64_t id);
  /// Takes finished groups out, in the order given.
  std::vector<sample_group_ptr> take(const std::vector<std::uint64_t> &ids);
  /// Books a group that an earlier part of the run consumed.
  void consumed(std::uint64_t id);

  std::int64_t groups_per_batch() const { return groups_per_batch_; }
  const std::map<std::uint64_t, pooled_group> &in_flight() const { return in_flight_; }
  std::vector<std::uint64_t> by_arrival() const;  ///< finished groups, in the order in which they finished
  std::int64_t held() const { return static_cast<std::int64_t>(arrivals_.size()); }  ///< finished ones
  /// How many groups were drawn since the oldest in flight and before `id`, dropped ones left out.
  std::int64_t position(std::uint64_t id) const;

  const std::set<std::uint64_t> &consumed_ids() const { return consumed_; }  ///< after the oldest in flight
  /// How many consumed groups were drawn after `id`, which is in flight.
  std::int64_t overtaken_by(std::uint64_t id) const;
  /// The number of groups in flight by the version of their oldest token.
  const std::map<std::int64_t, std::int64_t> &ages() const { return ages_; }

  /// Whether all groups in flight, which have these ages, can still be consumed by their deadlines if the
  /// order is free: a group's deadline is the last version that its age allows. The batch at `version` has
  /// `places_left` places, each later batch has all of them. `late_after`: the largest age of a group, in
  /// versions.
  bool feasible(std::int64_t version, const std::map<std::int64_t, std::int64_t> &ages,
                std::int64_t places_left, std::int64_t late_after) const;
  /// The same for all groups in flight except `taken`.
  bool feasible(std::int64_t version, const std::set<std::uint64_t> &taken, std::int64_t places_left,
                std::int64_t late_after) const;

 private:
  void forget_before_oldest();
  void forget_age(std::int64_t oldest);

  std::int64_t groups_per_batch_;
  std::map<std::uint64_t, pooled_group> in_flight_;
  std::map<std::uint64_t, std::uint64_t> arrivals_;  // id by arrival
  std::uint64_t arrived_ = 0;
  std::set<std::uint64_t> consumed_;  // those drawn after the oldest in flight
  std::map<std::int64_t, std::int64_t> ages_;
};

/// The version of the oldest token, or cache entry that one attended to; `otherwise` where none has a
/// version.
std::int64_t oldest_version(const sample_group &group, std::int64_t otherwise);
/// The same of a group just sampled; its `min_version` where none has a version.
std::int64_t oldest_version(const rollout_group &group);

}  // namespace slipstream
