#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "runtime/kinds/roles.hpp"
#include "runtime/schedule/contract.hpp"
#include "runtime/schedule/order_buffer.hpp"
#include "runtime/schedule/schedule_controller.hpp"

namespace slipstream {

/// The orders of consumption that a topology may name.
using order_table = std::map<std::string, order_row>;

/// A topology whose edges, keys, roles and placement have been checked, with the contract that follows from
/// its schedule. These checks need no tensor and no other file.
class checked_topology : public roles {
 public:
  /// Throws input_error.
  checked_topology(topology graph, const kind_rows &kinds, const order_table &orders);

  /// Whether a model comes from a run among `earlier`, which may have no checkpoint yet.
  bool waits_for(const std::set<std::string> &earlier) const;

  /// The number of groups of a batch.
  std::int64_t groups_per_batch() const { return std::max<std::int64_t>(graph_.schedule.batch / group(), 1); }
  /// [schedule] with its window in groups, the order that it names, and the contract that follows from both.
  const schedule_rules &rules() const { return rules_; }
  const order_row &order() const { return order_; }
  const staleness_contract &contract() const { return contract_; }
  /// Whether a resumed run continues answers that were under way. When the sampler does not run ahead, a
  /// resumed run must reach the same bits as an undisturbed one, so these answers are sampled again by the
  /// weights of their batch alone.
  bool keeps_partial() const { return graph_.schedule.max_staleness > 0 || contract_.lead.most > 0; }
  /// The numbers of the schedule that may change over the run: lead, window, publish_every.
  schedule_controller controller() const;
  order_buffer buffer() const;       ///< of the main learner's path
  order_buffer side_buffer() const;  ///< of another learner's path: in the order of the draws
  /// The promised bound in versions; none where rollouts do not age or nothing is promised.
  std::optional<std::int64_t> staleness_bound() const;
  /// The largest age, in versions of its own, that another trained model's figures may have when the main
  /// learner trains on them; by model, for every model whose figures reach the main learner. None where
  /// nothing is promised.
  std::map<std::string, std::optional<std::int64_t>> model_bounds() const;
  /// The largest number of rollouts in flight.
  std::int64_t in_flight_bound() const;

 private:
  void check_capacity() const;

  schedule_rules rules_;
  order_row order_;
  staleness_contract contract_;
};

}  // namespace slipstream
