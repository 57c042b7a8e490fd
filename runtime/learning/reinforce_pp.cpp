#include "runtime/learning/reinforce_pp.hpp"

#include <algorithm>

#include "runtime/learning/batch_figures.hpp"

namespace slipstream {

sample_group reinforce_pp_samples(const joined_group &joined, const std::vector<double> &rewards,
                                  const reinforce_pp_options &options) {
  auto result =
      advantage_samples(joined, rewards, [](const std::vector<double> &as_they_are) { return as_they_are; });
  for (auto &entry : result.samples) {
    double to_go = 0;
    for (std::size_t t = entry.advantages.size(); t-- > 0;) {
      double reward = t + 1 == entry.advantages.size() ? entry.score : 0;
      if (options.kl_in_reward != 0)
        reward -= options.kl_in_reward * (double{entry.behaviour[t]} - double{entry.reference[t]});
      to_go = reward + options.gamma * to_go;
      entry.advantages[t] = static_cast<float>(to_go);
    }
  }
  return result;
}

sample_group refilled_if_even(sample_group group) {
  if (std::any_of(group.samples.begin(), group.samples.end(), has_advantage)) return group;
  group.samples.clear();
  group.drop_reason = "zero advantage";
  return group;
}

}  // namespace slipstream
