#pragma once

#include <memory>

#include "runtime/learning/rank_tasks.hpp"
#include "runtime/learning/rank_worker.hpp"

namespace slipstream {

/// A follower on a thread of this process.
std::shared_ptr<rank_lane> thread_rank(std::unique_ptr<rank_worker> worker);

}  // namespace slipstream
