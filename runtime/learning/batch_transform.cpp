#include "runtime/learning/batch_transform.hpp"

#include <algorithm>
#include <memory>

namespace slipstream {
namespace {

/// The numbers that count, in the batch's order.
std::vector<double> counted_advantages(const sample_groups &batch, statistics_scope over) {
  std::vector<double> values;
  for (const auto &group : batch)
    for (const auto &entry : group->samples) {
      const auto count = over == statistics_scope::sequences
                             ? std::min<std::size_t>(entry.advantages.size(), 1)
                             : entry.advantages.size();
      for (std::size_t t = 0; t < count; ++t)
        if (over == statistics_scope::sequences || entry.trained.empty() || entry.trained[t] != 0)
          values.push_back(entry.advantages[t]);
    }
  return values;
}

}  // namespace

batch_transform normalised_advantages(statistics_scope over,
                                      normalisation (*statistics)(std::span<const double>)) {
  batch_transform result;
  result.name = "normalised_advantages";
  result.of_samples = [over, statistics](const sample_groups &batch) {
    const auto counted = counted_advantages(batch, over);
    if (counted.empty()) return batch;
    const auto by = statistics(counted);
    sample_groups changed;
    for (const auto &group : batch) {
      auto copy = std::make_shared<sample_group>(*group);
      for (auto &entry : copy->samples)
        for (auto &value : entry.advantages) value = static_cast<float>((double{value} - by.mean) * by.scale);
      changed.push_back(std::move(copy));
    }
    return changed;
  };
  return result;
}

}  // namespace slipstream
