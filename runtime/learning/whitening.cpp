#include "runtime/learning/whitening.hpp"

#include <algorithm>
#include <cmath>

namespace slipstream {
namespace {

/// Calls `act` with each number that counts.
template <class Act>
void each_advantage(const std::vector<sample_group_ptr> &batch, whitening_scope over, const Act &act) {
  for (const auto &group : batch)
    for (const auto &entry : group->samples) {
      const auto count = over == whitening_scope::sequences
                             ? std::min<std::size_t>(entry.advantages.size(), 1)
                             : entry.advantages.size();
      for (std::size_t t = 0; t < count; ++t)
        if (over == whitening_scope::sequences || entry.trained.empty() || entry.trained[t] != 0)
          act(double{entry.advantages[t]});
    }
}

}  // namespace

std::vector<sample_group_ptr> whitened(const std::vector<sample_group_ptr> &batch, whitening_scope over) {
  if (over == whitening_scope::none) return batch;
  double sum = 0, squares = 0, count = 0;
  each_advantage(batch, over, [&](double value) { sum += value, ++count; });
  if (count == 0) return batch;
  const double mean = sum / count;
  each_advantage(batch, over, [&](double value) { squares += (value - mean) * (value - mean); });
  const double scale = 1 / std::sqrt(squares / count + 1e-8);
  std::vector<sample_group_ptr> result;
  for (const auto &group : batch) {
    auto copy = std::make_shared<sample_group>(*group);
    for (auto &entry : copy->samples)
      for (auto &value : entry.advantages) value = static_cast<float>((double{value} - mean) * scale);
    result.push_back(std::move(copy));
  }
  return result;
}

}  // namespace slipstream
