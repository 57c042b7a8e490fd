#include "models/types.hpp"

#include <numeric>

namespace slipstream {

void kept_tokens::append(const kept_tokens &more) {
  counts.insert(counts.end(), more.counts.begin(), more.counts.end());
  ids.insert(ids.end(), more.ids.begin(), more.ids.end());
}

kept_tokens kept_tokens::from(std::size_t first) const {
  if (first >= counts.size()) return {};
  const auto begin = counts.begin() + static_cast<std::ptrdiff_t>(first);
  const auto before = std::accumulate(counts.begin(), begin, std::ptrdiff_t{0});
  return {{begin, counts.end()}, {ids.begin() + before, ids.end()}};
}

std::string_view to_string(finish_reason reason) {
  switch (reason) {
    case finish_reason::stop:
      return "stop";
    case finish_reason::length:
      return "length";
    case finish_reason::aborted:
      return "aborted";
  }
  return "unknown";
}

std::int64_t token_count(const std::vector<partial_generation> &samples) {
  std::int64_t count = 0;
  for (const auto &each : samples) count += static_cast<std::int64_t>(each.answer.tokens.size());
  return count;
}

}  // namespace slipstream
