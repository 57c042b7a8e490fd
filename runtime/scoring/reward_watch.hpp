#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/types.hpp"

namespace slipstream {

/// Notices that the rewards of many groups in a row are one and the same number, from which nothing is
/// learned: as a rule the answers are compared with something that they can never be.
class reward_watch {
 public:
  /// `groups`: so many in a row, all alike; 0: never.
  reward_watch(std::int64_t groups, std::int64_t updates) : groups_(groups), updates_(updates) {}

  /// What to tell people, the first time that it is so; else empty.
  std::string look(const rollout_group &group, const std::vector<double> &rewards);

 private:
  std::int64_t groups_, updates_;
  std::int64_t alike_ = 0, answers_ = 0;
  double reward_ = 0;
  bool told_ = false;
};

}  // namespace slipstream
