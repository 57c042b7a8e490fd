#pragma once

#include <cstddef>
#include <functional>

namespace slipstream::arithmetic {

/// Calls `work(i)` for 0 <= i < parts on the threads that LibTorch may use (at::set_num_threads sets the
/// number for the calling thread). `cost` is what all of it takes, in multiply-adds: little work stays on one
/// thread. Each part must be computed alike on any thread.
void share(std::size_t parts, double cost, const std::function<void(std::size_t)> &work);

/// The same in runs of neighbours: `work(first, last)`.
void share_range(std::size_t parts, double cost, const std::function<void(std::size_t, std::size_t)> &work);

}  // namespace slipstream::arithmetic
