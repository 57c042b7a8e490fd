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

/// What an order may look at beside the groups.
struct order_state {
  std::int64_t version = 0;      ///< of the learner that waits for the batch
  std::int64_t window = 1;       ///< groups
  std::int64_t window_most = 1;  ///< groups: the largest window of the whole run
  std::int64_t late_after = 0;   ///< versions
  late_rule when_late = late_rule::wait;
  bool promised = true;  ///< max_staleness holds, and something ages
};

/// Groups for the next batch, in the order of consumption, at most a batch of them (with fewer the learner
/// waits, and is asked about again at the next arrival); and groups that are never trained on.
struct batch_choice {
  std::vector<std::uint64_t> take;
  std::vector<std::uint64_t> late;
};
using order_rule = std::function<batch_choice(const group_pool &, const order_state &)>;

/// A number of [schedule] that belongs to one order alone.
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
  /// The lead that keeps max_staleness in this order, in versions (`places`: groups a batch), and why;
  /// negative when none does. Without it the order promises nothing.
  std::function<std::pair<std::int64_t, std::string>(const schedule_rules &, std::int64_t places)> lead;
  bool overtakes = false;  ///< whether a group may be consumed before an older one that is in flight
  /// Whether every group that stays in flight still meets its deadline for certain when the choice goes as a
  /// batch of fewer groups than there are places. Without it such a batch goes only when nothing stays.
  std::function<bool(const group_pool &, const order_state &, const batch_choice &)> spares_places{};
  /// Keys of [schedule] that it takes beside those of all orders: "window", "when_late", "late_after".
  std::vector<std::string> keys{"when_late", "late_after"};
  /// The place of a draw says in which batch it is trained on, but for a window.
  bool place_decides_batch = false;
  /// Numbers of its own, and the order that has them as [schedule] gives them.
  std::vector<order_number> numbers{};
  std::function<order_row(const std::map<std::string, double> &numbers)> with_numbers{};
};

/// "strict": in the order of the draws. "windowed": a finished group may overtake, within a window behind the
/// oldest one in flight. "completion": in the order of finishing, with a rule for the late.
std::span<const order_row> order_rows();

/// A batch with fewer groups, as much as is there of `choice`, keeps the promise.
bool may_go_short(const order_row &order, const group_pool &pool, const order_state &state,
                  const batch_choice &choice);

}  // namespace slipstream
