#include "runtime/kinds/distillation_keys.hpp"

#include "runtime/kinds/kinds.hpp"

namespace slipstream {

kind_row distillation_row() {
  auto row =
      joiner("advantage.on_policy_distillation",
             "what a teacher's log-probability of every token is above the sampler's: arXiv:2306.13649",
             {port::scores, port::logprobs}, {port::logprobs});
  row.read = reader<distillation_keys>([](settings &s, const actor_config &) {
    distillation_keys keys;
    keys.coefficient = s.number("coefficient", keys.coefficient, 0);
    keys.clip = s.number("clip", keys.clip, 0);
    return keys;
  });
  return row;
}

std::vector<kind_row> distillation_rows() {
  return {distillation_row()};
}

}  // namespace slipstream
