#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "runtime/schedule/group_pool.hpp"
#include "runtime/schedule/orders.hpp"
#include "runtime/schedule/state_text.hpp"

namespace slipstream {

/// What a buffer gives the learner now.
struct buffer_offer {
  std::vector<sample_group_ptr> batch;  ///< empty: not yet a whole one
  std::vector<std::uint64_t> late;      ///< groups that the order dropped; they have left the buffer
};

/// The groups that were drawn and not yet trained on, and the order that composes batches of them. A pure
/// value.
class order_buffer {
 public:
  /// `settings` holds all but the version. `groups_per_batch`: groups that a batch consists of.
  order_buffer(order_row order, order_state settings, std::int64_t groups_per_batch);

  /// Where an earlier part of the run left off.
  void restore(group_pool pool) { pool_ = std::move(pool); }

  void draw(std::uint64_t id, std::int64_t min_version) { pool_.draw(id, min_version); }
  void put(sample_group_ptr group) { pool_.put(std::move(group)); }
  void drop(std::uint64_t id) { pool_.drop(id); }
  void set_window(std::int64_t groups) { settings_.window = groups; }

  /// The next batch once it is whole, for the learner that holds `version`.
  buffer_offer take(std::int64_t version);
  /// The number of groups that a short batch of at least `least` groups would have now; 0 when no short batch
  /// is allowed.
  std::int64_t short_batch(std::int64_t version, std::int64_t least) const;
  std::vector<sample_group_ptr> take_short(std::int64_t version);

  const group_pool &pool() const { return pool_; }
  std::int64_t groups_per_batch() const { return pool_.groups_per_batch(); }
  void write_state(state_text &text) const;

 private:
  batch_choice choose(std::int64_t version) const;

  order_row order_;
  order_state settings_;
  group_pool pool_;
};

}  // namespace slipstream
