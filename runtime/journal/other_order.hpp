#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "runtime/journal/events.hpp"
#include "runtime/schedule/group_pool.hpp"
#include "runtime/schedule/orders.hpp"

namespace slipstream {

/// Batches of the main learner in another order of consumption, out of the rollouts of a run that was. It
/// respects causality: the n-th batch is chosen when the run's own learner was given its n-th, or later where
/// the order waits for more, and only among the groups that had reached the buffer by then. What the run
/// dropped before it reached the buffer stays dropped; what it dropped later, as late, this order may take.
class other_order {
 public:
  /// `groups_per_batch`: groups that a batch consists of.
  other_order(order_rule choose, schedule_rules rules, std::int64_t groups_per_batch);

  void read(const journal_record &record);
  /// The next batch for a learner at `version`, once it may be taken.
  std::optional<std::vector<sample_group_ptr>> take(std::int64_t version);

  /// Groups of the batches so far with a token older than max_staleness versions, and with one by a version
  /// that the learner had yet to make.
  std::int64_t too_old() const { return too_old_; }
  std::int64_t from_later() const { return from_later_; }
  std::int64_t late() const { return late_; }         ///< groups that the order dropped
  std::int64_t left() const { return pool_.held(); }  ///< groups that reached the buffer and were not taken

 private:
  void measure(const sample_group &group, std::int64_t version);

  learner_path main_;
  order_rule choose_;
  schedule_rules rules_;
  group_pool pool_;
  std::set<std::int64_t> given_;  ///< versions that the run's own batches made
  std::int64_t taken_ = 0;        ///< batches
  std::int64_t too_old_ = 0, from_later_ = 0, late_ = 0;
};

}  // namespace slipstream
