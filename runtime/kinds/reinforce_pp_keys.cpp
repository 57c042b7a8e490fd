#include "runtime/kinds/reinforce_pp_keys.hpp"

#include "runtime/kinds/kinds.hpp"

namespace slipstream {

kind_row reinforce_pp_row() {
  auto row = joiner("advantage.reinforce_pp",
                    "every token's return to go, whitened over the batch: arXiv:2501.03262",
                    {port::scores, port::logprobs}, {port::scores});
  row.read = reader<reinforce_pp_keys>([](settings &s, const actor_config &config) {
    reinforce_pp_keys keys;
    keys.options.gamma = s.number("gamma", keys.options.gamma, 0, 1);
    keys.options.kl_in_reward = s.number("kl_in_reward", 0, 0);
    keys.weights = read_weights(s, config);
    return keys;
  });
  return row;
}

std::vector<kind_row> reinforce_pp_rows() {
  return {reinforce_pp_row()};
}

}  // namespace slipstream
