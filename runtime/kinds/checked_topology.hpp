#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "runtime/kinds/roles.hpp"
#include "runtime/schedule/contract.hpp"
#include "runtime/schedule/dials.hpp"
#include "runtime/schedule/order_buffer.hpp"

namespace slipstream {

/// The orders of consumption that a topology may name.
using order_table = std::map<std::string, order_row>;

/// A topology of which all is checked that needs no tensor and no file but its own: its edges, keys, roles
/// and places, and the contract that follows from its schedule.
class checked_topology : public roles {
 public:
  /// Throws input_error.
  checked_topology(topology graph, const kind_rows &kinds, const order_table &orders);

  /// Whether a model comes from a run among `earlier`, which may have no checkpoint yet.
  bool waits_for(const std::set<std::string> &earlier) const;

  /// Groups a batch.
  std::int64_t places() const { return std::max<std::int64_t>(graph_.schedule.batch / group(), 1); }
  /// [schedule] with its window in groups, the order it names, and what follows from both.
  const schedule_rules &rules() const { return rules_; }
  const order_row &order() const { return order_; }
  const staleness_contract &contract() const { return contract_; }
  /// Whether a resume goes on with answers under way. Where nothing runs ahead it has to reach the bits of an
  /// undisturbed run instead, so they are sampled anew by the weights of their batch alone.
  bool keeps_partial() const { return graph_.schedule.max_staleness > 0 || contract_.lead.most > 0; }
  /// The numbers of the schedule that may change over the run: lead, window, publish_every.
  conductor dials() const;
  order_buffer buffer() const;       ///< of the main learner's path
  order_buffer side_buffer() const;  ///< of another one: in the order of the draws
  /// The promise (versions), or none where nothing ages or nothing is promised.
  std::optional<std::int64_t> staleness_bound() const;
  /// How old, in its own versions, another learned model's figures may be when the main learner trains on
  /// them; by model, for those whose figures reach it; none where nothing is promised.
  std::map<std::string, std::optional<std::int64_t>> model_bounds() const;
  /// Rollouts in flight at most.
  std::int64_t in_flight_bound() const;

 private:
  void check_capacity() const;

  schedule_rules rules_;
  order_row order_;
  staleness_contract contract_;
};

}  // namespace slipstream
