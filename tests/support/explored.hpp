#pragma once

#include <cstdlib>
#include <iostream>

#include "tests/support/exploration.hpp"
#include "tests/support/schedules.hpp"

namespace slipstream::test {

/// A small schedule to be explored as a whole.
struct configuration {
  std::string name;
  schedule_rules rules;
  mishaps limits{};
  std::int64_t group = 1, updates = 3;
  std::size_t samplers = 2;
  std::int64_t slots = 1;
  bool mail_at_once = true;
  bool reaches_bound = true;  ///< some state must be as old as promised
  std::vector<learner_path> learners{{"learner", "path"}};

  model_setup setup() const {
    auto result = model_setup::of(rules, order_named(rules.order), group, updates);
    result.samplers = samplers;
    result.slots = slots;
    result.steps = 2;
    result.mail_at_once = mail_at_once;
    result.learners = learners;
    return result;
  }
};

/// Explores; with SLIPSTREAM_PRINT set, says how much there was.
inline exploration explore(const configuration &each, const model_setup &setup) {
  auto found = explorer(setup, each.limits).run();
  if (std::getenv("SLIPSTREAM_PRINT"))
    std::cout << "| " << each.name << " | " << setup.contract.lead.most << " | "
              << (setup.contract.bound ? std::to_string(*setup.contract.bound) : "none") << " | "
              << found.oldest << " | " << found.states << " | " << found.moves << " | " << found.fault
              << std::endl;
  return found;
}

inline std::string story(const exploration &found) {
  std::string text;
  for (const auto &move : found.moves_to_fault) text += move + "; ";
  return text;
}

/// A number that only the explorer changes, to any of its values at any version.
inline schedule_number any_of(std::int64_t least, std::int64_t most, std::int64_t first) {
  auto number = feedback("nothing", 1, least, most);
  number.first = first;
  return number;
}

/// A critic trains on the policy's batches; a reward model has a path and a pace of its own.
inline configuration with_critic(configuration each) {
  each.learners.push_back({"critic", "path"});
  each.name += ", critic";
  return each;
}
inline configuration with_reward_model(configuration each) {
  each.learners.push_back({"reward model", "pairs"});
  each.name += ", reward model";
  return each;
}

/// With half a batch when the learner has waited.
inline schedule_rules or_short(schedule_rules rules) {
  rules.batch_least = rules.batch / 2;
  rules.batch_after = 1;
  return rules;
}
inline schedule_rules leading(schedule_rules rules, std::int64_t lead) {
  rules.lead = schedule_number::constant(lead);
  return rules;
}
inline schedule_rules published_every(schedule_rules rules, std::int64_t versions) {
  rules.publish_every = schedule_number::constant(versions);
  return rules;
}

}  // namespace slipstream::test
