#include "runtime/plumbing/wait_table.hpp"

#include <fmt/format.h>

namespace slipstream {

std::uint64_t wait_table::open(wait_entry entry) {
  const std::lock_guard lock(mutex_);
  entries_.emplace(next_, std::move(entry));
  return next_++;
}

void wait_table::close(std::uint64_t ticket) {
  const std::lock_guard lock(mutex_);
  entries_.erase(ticket);
}

std::vector<std::string> wait_table::describe(std::int64_t now_ns) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> lines;
  for (const auto &[ticket, entry] : entries_)
    lines.push_back(fmt::format("{} waits {:.1f} s for {} from {}", entry.who,
                                static_cast<double>(now_ns - entry.since_ns) / 1e9, entry.what, entry.whom));
  return lines;
}

}  // namespace slipstream
