#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "runtime/types.hpp"

namespace slipstream {

/// Finished groups in strict order: they leave in the order their prompts were drawn, whatever order they
/// arrive in; dropped ones are passed over. Pure.
class order_buffer {
 public:
  /// `batch` counts rollouts.
  explicit order_buffer(std::int64_t batch);

  /// Where an earlier part of the run left off: all before draw `next` has left or was dropped.
  void restore(std::uint64_t next) { next_ = next; }

  void put(sample_group_ptr group);
  void drop(std::uint64_t id);
  /// The next batch once it is whole, sorted by id; nothing before.
  std::optional<std::vector<sample_group_ptr>> take();

  std::int64_t held() const { return static_cast<std::int64_t>(ready_.size()); }  ///< groups waiting here
  std::uint64_t next() const { return next_; }  ///< the draw that the next batch waits for

 private:
  void advance();

  std::int64_t batch_;
  std::uint64_t next_ = 0;
  std::map<std::uint64_t, sample_group_ptr> ready_;
  std::set<std::uint64_t> dropped_;
  std::vector<sample_group_ptr> taken_;  ///< in order, not yet a whole batch
  std::int64_t taken_rollouts_ = 0;
};

}  // namespace slipstream
