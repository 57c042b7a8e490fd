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

/// Calls `work()` while the other threads stand by, so that each share() in it begins within a microsecond
/// instead of waking them. They keep their cores busy meanwhile (they give way to threads that wait for one):
/// for steps that share their work many times. Without effect inside of another team.
void as_team(const std::function<void()> &work);

}  // namespace slipstream::arithmetic
