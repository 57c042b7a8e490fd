#include "runtime/learning/importance_weight_figures.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

namespace slipstream {

nlohmann::json weight_quantiles(const std::vector<at::Tensor> &parts) {
  nlohmann::json result = nlohmann::json::object();
  if (parts.empty()) return result;
  const auto all = std::get<0>(at::cat(parts).to(at::kCPU, at::kDouble).sort());
  if (all.numel() == 0) return result;
  const double *sorted = all.data_ptr<double>();
  for (const auto &[name, share] :
       {std::pair("weight_p05", 0.05), {"weight_p50", 0.5}, {"weight_p95", 0.95}, {"weight_p99", 0.99}}) {
    const auto rank = static_cast<std::int64_t>(std::ceil(share * static_cast<double>(all.numel()))) - 1;
    result[name] = sorted[std::max<std::int64_t>(rank, 0)];
  }
  return result;
}

nlohmann::json sample_shares(const std::vector<sample_group_ptr> &batch, std::int64_t version) {
  std::map<std::int64_t, double> ages;
  std::map<std::string, std::pair<double, double>> scores;  // sum, count
  double tokens = 0, sampled = 0, truncated = 0;
  for (const auto &group : batch) {
    for (const auto &entry : group->samples) {
      if (entry.versions.empty()) continue;
      ++sampled;
      truncated += entry.truncated ? 1 : 0;
      tokens += static_cast<double>(entry.versions.size());
      for (const auto made_by : entry.versions) ++ages[version - made_by];
    }
    for (const auto &[scorer, values] : group->scores)
      for (const auto value : values) scores[scorer].first += value, ++scores[scorer].second;
  }
  nlohmann::json result = nlohmann::json::object();
  for (const auto &[scorer, sum] : scores) result["reward." + scorer] = sum.first / sum.second;
  if (sampled == 0) return result;
  result["truncated"] = truncated / sampled;
  for (const auto &[age, count] : ages) result["staleness_histogram"][std::to_string(age)] = count / tokens;
  return result;
}

}  // namespace slipstream
