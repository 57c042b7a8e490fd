#include "models/types.hpp"

namespace slipstream {

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
