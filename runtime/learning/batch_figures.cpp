#include "runtime/learning/batch_figures.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

#include "models/error.hpp"

namespace slipstream {
namespace {

/// 1 - Var(return - value) / Var(return) over all tokens; none where there are no returns, or all are equal.
std::optional<double> explained_variance(const std::vector<sample_group_ptr> &batch) {
  std::vector<double> returns, rest;
  for (const auto &group : batch)
    for (const auto &entry : group->samples)
      for (std::size_t t = 0; t < entry.returns.size(); ++t) {
        returns.push_back(entry.returns[t]);
        rest.push_back(double{entry.returns[t]} - double{entry.values[t]});
      }
  const auto variance = [](const std::vector<double> &values) {
    const auto count = static_cast<double>(values.size());
    const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
    double squares = 0;
    for (const double value : values) squares += (value - mean) * (value - mean);
    return squares / count;
  };
  if (returns.empty() || variance(returns) == 0) return {};
  return 1 - variance(rest) / variance(returns);
}

}  // namespace

std::int64_t oldest_of(const sample &entry, std::size_t token) {
  const auto made_by = entry.versions[token];
  return token < entry.cache_versions.size() ? std::min(made_by, entry.cache_versions[token]) : made_by;
}

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

std::int64_t assert_model_age(const std::vector<sample_group_ptr> &batch, const std::string &model,
                              std::int64_t version, std::optional<std::int64_t> bound, bool in_step) {
  std::int64_t oldest = 0;
  for (const auto &group : batch) {
    const auto found = group->model_versions.find(model);
    if (found == group->model_versions.end()) continue;
    const auto age = version - found->second;
    if ((bound && age > *bound) || (in_step && age < 0))
      throw staleness_error(fmt::format("the staleness contract is broken: prompt {} was scored by version "
                                        "{} of \"{}\" and is trained on at its "
                                        "version {}: age {}, promised {}",
                                        group->id, found->second, model, version, age,
                                        bound ? fmt::format("at most {}", *bound) : "0 or more"),
                            group->id);
    oldest = std::max(oldest, age);
  }
  return oldest;
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

nlohmann::json batch_figures(const std::vector<sample_group_ptr> &batch, std::int64_t version, bool ages) {
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
  if (const auto explained = explained_variance(batch)) result["explained_variance"] = *explained;
  const auto staleness = measure_staleness(batch, version);
  if (ages && staleness.any) {
    result["staleness_mean"] = staleness.mean;
    result["staleness_max"] = staleness.largest;
  }
  return result;
}

}  // namespace slipstream
