#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/schedule/group_pool.hpp"
#include "runtime/schedule/rules.hpp"

namespace slipstream {

/// What an order may look at in addition to the groups.
struct order_state {
  std::int64_t version = 0;      ///< of the learner that waits for the batch
  std::int64_t window = 1;       ///< groups
  std::int64_t window_most = 1;  ///< groups: the largest window of the whole run
  std::int64_t late_after = 0;   ///< versions
  late_rule when_late = late_rule::wait;
  bool promised = true;  ///< max_staleness is promised, and rollouts can age
};

/// The groups of the next batch in the order of consumption, and groups that are dropped. With fewer groups
/// than a batch has, the learner waits, and the order is asked again when the next group arrives.
struct batch_choice {
  std::vector<std::uint64_t> take;
  std::vector<std::uint64_t> late;
};
using order_rule = std::function<batch_choice(const group_pool &, const order_state &)>;

/// A key of [schedule] that only one order has; its value is a number.
struct order_number {
  std::string key;
  double otherwise = 0, least = 0, most = 1 << 20;
  bool whole = true;
};

/// An order of consumption.
struct order_row {
  std::string name;
  std::string summary;
  order_rule choose;
  /// The lead that keeps max_staleness in this order, in versions, and
  /// why; negative when none does. Without it the order promises nothing.
  std::function<std::pair<std::int64_t, std::string>(const schedule_rules &, std::int64_t groups_per_batch)>
      lead;
  bool overtakes = false;  ///< whether a group may be consumed before an older one that is in flight
  /// Whether every group that stays in flight is certain to meet its deadline when the choice becomes a short
  /// batch. Without this function a batch is short only when no group stays in flight.
  std::function<bool(const group_pool &, const order_state &, const batch_choice &)> spares_places{};
  /// Keys of [schedule] that it takes beside those of all orders: "window", "when_late", "late_after".
  std::vector<std::string> keys{"when_late", "late_after"};
  /// The number of a draw decides in which batch it is trained on, within a window.
  bool place_decides_batch = false;
  /// With `when_late = "accept"` it takes every group, and so promises nothing. An order without this
  /// promises the same whatever `when_late` says.
  bool accepts_late = false;
  /// It chooses only what leaves every other group its deadline, `late_after`, or drops what is late: any
  /// lead up to `late_after` keeps the promise, and `late_after` must not be later than `max_staleness`.
  bool meets_deadlines = false;
  /// The order's own numbers, and a function that makes the order from their values in [schedule].
  std::vector<order_number> numbers{};
  std::function<order_row(const std::map<std::string, double> &numbers)> with_numbers{};
};

/// "strict": groups are trained on in the order of their draws. "windowed": a finished group may overtake
/// within a window behind the oldest group in flight. "completion": groups are trained on in the order in
/// which they finish, with a rule for late ones.
std::span<const order_row> order_rows();

/// Whether a short batch of the groups in `choice` keeps the promise.
bool may_go_short(const order_row &order, const group_pool &pool, const order_state &state,
                  const batch_choice &choice);

}  // namespace slipstream
