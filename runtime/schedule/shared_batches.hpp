#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/schedule/order_buffer.hpp"
#include "runtime/schedule/state_text.hpp"

namespace slipstream {

/// The batches of one path, for every learner of the path. The batch for a version is composed when the first
/// learner asks for it, and the other learners get the same batch. Pure.
class shared_batches {
 public:
  using batch = std::shared_ptr<const std::vector<sample_group_ptr>>;
  struct served {
    batch groups;
    bool again = false;  ///< this learner got the batch before the run was interrupted
  };
  /// Where a learner continues after a resume.
  struct place {
    std::int64_t version = 0;   ///< it holds
    std::int64_t consumed = 0;  ///< the newest version that it was ever given a batch for
  };

  /// One learner, without a name.
  shared_batches(order_buffer groups)
      : shared_batches(std::move(groups), std::map<std::string, place>{{"", place{}}}) {}
  /// `composed`: batches composed before, from the oldest version of `learners` on.
  shared_batches(order_buffer groups, std::map<std::string, place> learners, std::deque<batch> composed = {});

  void draw(std::uint64_t id, std::int64_t min_version) { groups_.draw(id, min_version); }
  void put(sample_group_ptr group) { groups_.put(std::move(group)); }
  void drop(std::uint64_t id) { groups_.drop(id); }
  void set_window(std::int64_t groups) { groups_.set_window(groups); }

  /// The batch that `learner` trains on at `version`, if it has been composed. Throws run_error when this is
  /// not the learner's next batch.
  std::optional<served> take(const std::string &learner, std::int64_t version);
  /// The version whose batch is composed next.
  std::int64_t next() const { return first_ + static_cast<std::int64_t>(composed_.size()); }
  /// Composes the next batch, if it can be whole; returns groups that the order gave up.
  std::vector<std::uint64_t> compose();
  /// The number of groups that a short batch of at least `least` groups would have now; 0 when no short batch
  /// is allowed.
  std::int64_t short_batch(std::int64_t least) const { return groups_.short_batch(next(), least); }
  void compose_short() { keep(groups_.take_short(next())); }

  std::int64_t groups_per_batch() const { return groups_.groups_per_batch(); }
  const order_buffer &groups() const { return groups_; }
  /// Batches kept for slower learners.
  std::int64_t held() const { return static_cast<std::int64_t>(composed_.size()); }
  void write_state(state_text &text) const;

 private:
  void keep(std::vector<sample_group_ptr> groups);

  order_buffer groups_;
  std::map<std::string, place> learners_;
  std::deque<batch> composed_;
  std::int64_t first_ = 0;  ///< the version that composed_.front() is trained on at
};

}  // namespace slipstream
