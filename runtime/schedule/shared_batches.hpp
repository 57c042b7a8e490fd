#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "runtime/schedule/order_buffer.hpp"

namespace slipstream {

/// The batches of one path, for every learner that takes from it: the one for version v is composed when the
/// first of them asks, and the others get the same. Pure.
class shared_batches {
 public:
  using batch = std::shared_ptr<const std::vector<sample_group_ptr>>;
  struct served {
    batch groups;
    bool again = false;  ///< this learner was given it before the run was interrupted
  };
  /// Where a learner goes on.
  struct place {
    std::int64_t version = 0;   ///< it holds
    std::int64_t consumed = 0;  ///< the newest version that it was ever given a batch for
  };

  /// One learner, without a name.
  shared_batches(order_buffer groups)
      : shared_batches(std::move(groups), std::map<std::string, place>{{"", place{}}}) {}
  /// `composed`: batches composed before, from the oldest version of `learners` on.
  shared_batches(order_buffer groups, std::map<std::string, place> learners, std::deque<batch> composed = {});

  void put(sample_group_ptr group) { groups_.put(std::move(group)); }
  void drop(std::uint64_t id) { groups_.drop(id); }
  /// What `learner` trains on at `version`, once it is whole. Throws run_error when it is not its next one.
  std::optional<served> take(const std::string &learner, std::int64_t version);
  /// Batches kept for slower learners.
  std::int64_t held() const { return static_cast<std::int64_t>(composed_.size()); }

 private:
  void forget();

  order_buffer groups_;
  std::map<std::string, place> learners_;
  std::deque<batch> composed_;
  std::int64_t first_ = 0;  ///< the version that composed_.front() is trained on at
};

}  // namespace slipstream
