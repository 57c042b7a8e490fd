#include "runtime/learning/shares.hpp"

#include <algorithm>
#include <numeric>

namespace slipstream {

std::vector<std::vector<const sample *>> share_by_tokens(const std::vector<const sample *> &samples,
                                                         std::int64_t unit, std::int64_t ranks) {
  const auto step = static_cast<std::size_t>(unit);
  std::vector<std::size_t> tokens(samples.size() / step), order(tokens.size()), owner(tokens.size());
  for (std::size_t i = 0; i < samples.size(); ++i) tokens[i / step] += samples[i]->tokens.size();
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return tokens[a] > tokens[b]; });
  std::vector<std::size_t> loads(static_cast<std::size_t>(ranks));
  for (const auto i : order) {
    owner[i] = static_cast<std::size_t>(std::min_element(loads.begin(), loads.end()) - loads.begin());
    loads[owner[i]] += tokens[i];
  }
  std::vector<std::vector<const sample *>> shares(loads.size());
  for (std::size_t i = 0; i < samples.size(); ++i) shares[owner[i / step]].push_back(samples[i]);
  return shares;
}

denominators count_samples(const objective_row &row, const std::vector<const sample *> &samples) {
  denominators total;
  for (const auto *entry : samples) {
    const auto answer = static_cast<double>(entry->tokens.size()) - static_cast<double>(entry->prompt_length);
    const double counted =
        entry->trained.empty() ? answer : std::accumulate(entry->trained.begin(), entry->trained.end(), 0.0);
    const bool by_token = row.kind == input_kind::tokens || row.kind == input_kind::values;
    total += by_token ? denominators{counted, counted > 0 ? 1.0 : 0.0} : denominators{0, 1};
  }
  return total;
}

}  // namespace slipstream
