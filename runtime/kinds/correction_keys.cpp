#include "runtime/kinds/correction_keys.hpp"

#include <string>

namespace slipstream {
namespace {

/// Refuses `key` where the loss makes no use of it.
void require(settings &s, const std::string &key, bool given, bool of_use, const std::string &mend) {
  if (given && !of_use) s.fail(key, key + " is of no use here: " + mend);
}

}  // namespace

void read_corrections(settings &s, learner_keys &keys) {
  const auto &row = *keys.objective;
  auto &loss = keys.loss;
  const bool policy = row.needs.advantages;
  const std::string of_policies = "it concerns the losses of policies, such as decoupled_ppo";
  loss.weights.level =
      parse_weight_level(s.choice("weight_level", {std::string(to_string(loss.weights.level)), "token",
                                                   "sequence_product", "sequence_geometric"}));
  loss.m2po_tau = s.number("m2po_tau", loss.m2po_tau, 0);
  require(s, "m2po_tau", loss.m2po_tau > 0, policy, of_policies);
  loss.stale_clip = s.number("stale_clip", 0, -4, 4);
  require(s, "stale_clip", loss.stale_clip != 0, policy, of_policies);
  keys.interpolate = s.choice("proximal", {"recomputed", "interpolated"}) == "interpolated";
  require(s, "proximal", keys.interpolate, row.needs.proximal,
          "loss = \"" + std::string(row.name) + "\" has no proximal policy; decoupled_ppo has one");
  if (keys.interpolate && loss.m2po_tau > 0)
    s.fail("proximal",
           "M2PO's mask is taken before any forward pass of the update could be interpolated; "
           "write proximal = \"recomputed\"");
  keys.ess_scaling = s.flag("ess_scaling", false);
  require(s, "ess_scaling", keys.ess_scaling, policy, of_policies);
  keys.ess_base = s.number("ess_base", 1, 1e-3, 1);
  keys.kl_target = s.number("kl_target", 0, 0);
  keys.kl_gain = s.number("kl_gain", 0.1, 0, 5);
  require(s, "kl_target", keys.kl_target > 0, loss.kl_coefficient > 0,
          "it adapts the weight of the KL term; give its first value as kl = 0.05");
}

}  // namespace slipstream
