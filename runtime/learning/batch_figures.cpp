#include "runtime/learning/batch_figures.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "models/error.hpp"

namespace slipstream {
namespace {

/// The oldest weights that had a part in a token: those that made it, or those of a key or value it saw.
std::int64_t oldest_of(const sample &entry, std::size_t token) {
  const auto made_by = entry.versions[token];
  return token < entry.cache_versions.size() ? std::min(made_by, entry.cache_versions[token]) : made_by;
}

}  // namespace

staleness_figures measure_staleness(const std::vector<sample_group_ptr> &batch, std::int64_t version) {
  staleness_figures result;
  double sum = 0;
  double count = 0;
  for (const auto &group : batch)
    for (const auto &entry : group->samples)
      for (std::size_t token = 0; token < entry.versions.size(); ++token) {
        const auto age = version - oldest_of(entry, token);
        result.largest = std::max(result.largest, age);
        sum += static_cast<double>(age);
        ++count;
      }
  result.any = count > 0;
  result.mean = result.any ? sum / count : 0;
  return result;
}

void assert_staleness(const std::vector<sample_group_ptr> &batch, std::int64_t version, std::int64_t bound) {
  for (const auto &group : batch)
    for (const auto &entry : group->samples)
      for (std::size_t token = 0; token < entry.versions.size(); ++token) {
        const auto made_by = entry.versions[token];
        const auto oldest = oldest_of(entry, token);
        const auto age = version - oldest;
        if (made_by <= version && age <= bound) continue;
        throw staleness_error(
            fmt::format(
                "the staleness contract is broken: prompt {}, response token {} was made by version {}{} and "
                "is trained on at version {}: age {}, promised at most {} (versions along the answer: {})",
                group->id, token, made_by,
                oldest < made_by ? fmt::format(" over a cache of version {}", oldest) : "", version, age,
                bound, fmt::join(entry.versions, " ")),
            group->id);
      }
}

void assert_lag(const std::vector<sample_group_ptr> &batch, std::int64_t version, std::int64_t lag) {
  const auto wanted = std::max<std::int64_t>(version - lag, 0);
  for (const auto &group : batch)
    for (const auto &entry : group->samples)
      for (const auto made_by : entry.versions)
        if (made_by != wanted)
          throw run_error(
              fmt::format("lag = \"exactly\" is broken: prompt {} was made by version {}, and the "
                          "batch of version {} must be made by version {}",
                          group->id, made_by, version, wanted));
}

bool has_advantage(const sample &entry) {
  return entry.advantages.empty() || std::any_of(entry.advantages.begin(), entry.advantages.end(),
                                                 [](float value) { return value != 0.0F; });
}

nlohmann::json batch_figures(const std::vector<sample_group_ptr> &batch, std::int64_t version) {
  double score_sum = 0, score_squares = 0, length_sum = 0, count = 0, zero_groups = 0;
  bool scored = true, advantages = false;
  for (const auto &group : batch) {
    zero_groups += std::none_of(group->samples.begin(), group->samples.end(), has_advantage) ? 1 : 0;
    for (const auto &entry : group->samples) {
      scored = scored && !std::isnan(entry.score);
      advantages = advantages || !entry.advantages.empty();
      score_sum += entry.score;
      score_squares += entry.score * entry.score;
      length_sum += static_cast<double>(entry.tokens.size()) - static_cast<double>(entry.prompt_length);
      ++count;
    }
  }
  nlohmann::json result = {{"length_mean", length_sum / count}};
  if (scored) {
    const auto mean = score_sum / count;
    result["reward_mean"] = mean;
    result["reward_std"] = std::sqrt(std::max(score_squares / count - mean * mean, 0.0));
  }
  if (advantages) result["zero_groups"] = zero_groups / static_cast<double>(batch.size());
  const auto staleness = measure_staleness(batch, version);
  if (staleness.any) {
    result["staleness_mean"] = staleness.mean;
    result["staleness_max"] = staleness.largest;
  }
  return result;
}

}  // namespace slipstream
