#include "runtime/learning/shares.hpp"

#include <algorithm>
#include <numeric>

#include "models/error.hpp"

namespace slipstream {

std::vector<std::vector<const sample *>> share_by_tokens(const std::vector<const sample *> &samples,
                                                         const unit_sizes &units, std::int64_t ranks) {
  std::vector<std::size_t> tokens(units.size()), order(units.size()), owner(units.size());
  std::size_t first = 0;
  for (std::size_t unit = 0; unit < units.size(); first += units[unit++])
    for (std::size_t i = 0; i < units[unit]; ++i) tokens[unit] += samples[first + i]->tokens.size();
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return tokens[a] > tokens[b]; });
  std::vector<std::size_t> loads(static_cast<std::size_t>(ranks));
  for (const auto i : order) {
    owner[i] = static_cast<std::size_t>(std::min_element(loads.begin(), loads.end()) - loads.begin());
    loads[owner[i]] += tokens[i];
  }
  std::vector<std::vector<const sample *>> shares(loads.size());
  first = 0;
  for (std::size_t unit = 0; unit < units.size(); first += units[unit++])
    for (std::size_t i = 0; i < units[unit]; ++i) shares[owner[unit]].push_back(samples[first + i]);
  return shares;
}

std::vector<std::vector<const sample *>> share_by_tokens(const std::vector<const sample *> &samples,
                                                         std::int64_t unit, std::int64_t ranks) {
  return share_by_tokens(samples, equal_units(samples.size(), unit), ranks);
}

unit_sizes units_of(input_kind kind, const std::vector<const sample *> &samples) {
  if (kind == input_kind::score_pairs || kind == input_kind::preference_pairs)
    return equal_units(samples.size(), 2);
  if (kind != input_kind::score_lists) return equal_units(samples.size(), 1);
  unit_sizes sizes;
  for (const auto *entry : samples) {
    if (entry->score == 1) sizes.push_back(0);
    if (sizes.empty())
      throw input_error("loss \"reward_rankings\" got an answer without a place in a ranking");
    ++sizes.back();
  }
  return sizes;
}

denominators count_samples(const objective_row &row, const std::vector<const sample *> &samples) {
  denominators total;
  for (const auto *entry : samples) {
    const auto answer = static_cast<double>(entry->tokens.size()) - static_cast<double>(entry->prompt_length);
    const double counted =
        entry->trained.empty() ? answer : std::accumulate(entry->trained.begin(), entry->trained.end(), 0.0);
    const bool by_token = row.kind == input_kind::tokens || row.kind == input_kind::values;
    if (row.kind == input_kind::score_lists) {
      total += denominators{0, entry->score == 1 ? 1.0 : 0.0};
      continue;
    }
    total += by_token ? denominators{counted, counted > 0 ? 1.0 : 0.0} : denominators{0, 1};
  }
  return total;
}

}  // namespace slipstream
