// All interleavings of small schedules of every kind: at most 3 samplers, 6 rollouts, 2 or 3 versions in
// flight. SLIPSTREAM_EXPLORE=large adds the larger ones; SLIPSTREAM_PRINT=1 prints how many states there are.
#include "tests/support/explored.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using namespace slipstream::test;

namespace {

constexpr auto drop = late_rule::drop;

schedule_rules turning(schedule_rules rules, std::int64_t least, std::int64_t most) {
  rules.lead = any_of(least, most, most);
  return rules;
}

schedule_rules finishing(schedule_rules rules) {
  rules.on_new_weights = new_weights::finish;
  return rules;
}

schedule_rules completion(std::int64_t staleness, std::int64_t lead, late_rule late = late_rule::wait) {
  return leading(rules_of("completion", 2, staleness, late), lead);
}

const auto accepted = rules_of("completion", 2, 1, late_rule::accept);

std::vector<configuration> configurations() {
  auto wide = windowed(2, 2, 1);
  wide.window = any_of(1, 3, 1);
  auto capped = rules_of("strict", 2, 1);
  capped.max_in_flight = 3;
  capped.max_running = 1;
  return {
      {"strict, S 0", rules_of("strict", 2, 0), {2, 1, 1, 0}},
      {"strict, S 1", rules_of("strict", 2, 1), {1, 1, 1, 0}},
      {"strict, S 1, groups of 2", rules_of("strict", 2, 1), {1, 1, 1, 0}, 2},
      {"strict, S 1, groups of 2, two a batch", rules_of("strict", 4, 1), {1, 0, 1, 0}, 2, 2},
      {"strict, S 1, caps", capped, {2, 1, 0, 0}},
      {"strict, S 1, three samplers", finishing(rules_of("strict", 2, 1)), {0, 1, 0, 0}, 1, 3, 3},
      {"strict, S 1, published every 2", published_every(rules_of("strict", 2, 1), 2), {1, 1, 0, 0}},
      {"strict, S 1, short", or_short(rules_of("strict", 2, 1)), {1, 0, 1, 0}},
      {"strict, lead 0 to 1", turning(rules_of("strict", 2, 1), 0, 1), {1, 0, 0, 2}},
      {"windowed, S 1, W 2", windowed(2, 1, 2), {1, 1, 1, 0}, 1, 3, 2, 1, true, false},
      {"windowed, S 2, W 2", windowed(2, 2, 2), {1, 0, 0, 0}, 1, 3, 2, 2},
      {"windowed, S 2, W 3", windowed(2, 2, 3), {1, 0, 0, 0}, 1, 3, 2, 2},
      {"windowed, S 2, W 2, groups of 2", windowed(2, 2, 2), {1, 0, 0, 0}, 2, 3, 2, 2},
      {"windowed, S 3, W 2, batch 1, published every 2",
       published_every(windowed(1, 3, 2), 2),
       {1, 0, 0, 0},
       1,
       6},
      {"windowed, S 2, W 2, short", or_short(windowed(2, 2, 2)), {}, 1, 3, 2, 2},
      {"windowed, S 2, W 1 to 3", wide, {0, 0, 0, 2}, 1, 3, 2, 2},
      {"completion, wait, S 1, lead 1", completion(1, 1), {1, 1, 0, 0}},
      {"completion, wait, S 2, lead 1", completion(2, 1), {1, 0, 0, 0}, 1, 3, 2, 2},
      {"completion, wait, S 1, lead 1, published every 2",
       published_every(completion(1, 1), 2),
       {1, 1, 0, 0}},
      {"completion, wait, S 2, lead 1, short", or_short(completion(2, 1)), {}, 1, 3, 2, 2},
      {"completion, wait, lead 0 to 1", turning(completion(1, 1), 0, 1), {1, 0, 0, 2}},
      {"completion, drop, S 1, lead 1", completion(1, 1, drop), {1, 0, 1, 0}},
      {"completion, drop, S 1, lead 0", completion(1, 0, drop), {1, 1, 1, 0}, 1, 3, 2, 1, true, false},
      {"completion, drop, S 1, lead 1, published every 2",
       published_every(completion(1, 1, drop), 2),
       {1, 0, 0, 0}},
      {"completion, drop, S 1, lead 1, short", or_short(completion(1, 1, drop)), {}},
      {"completion, accept, lead 1", accepted, {1, 0, 1, 0}},
      // messages wait in mailboxes, so that ledger and buffer know different things
      {"strict, S 1, short, mail", or_short(rules_of("strict", 2, 1)), {1, 0, 0, 0}, 1, 2, 1, 1, false},
      {"completion, wait, S 1, mail", completion(1, 1), {1, 0, 0, 0}, 1, 2, 1, 1, false},
      {"completion, drop, S 1, mail", completion(1, 1, drop), {0, 0, 1, 0}, 1, 2, 1, 1, false},
      // several learners, in step with the first one or on a path of their own
      with_critic({"strict, S 1", rules_of("strict", 2, 1), {1, 0, 1, 0}, 1, 2}),
      with_critic({"strict, S 1, short", or_short(rules_of("strict", 2, 1)), {0, 0, 1, 0}, 1, 2}),
      with_critic({"windowed, S 2, W 2, batch 1", windowed(1, 2, 2), {1, 0, 1, 0}, 1, 4}),
      with_critic({"completion, wait, S 1", completion(1, 1), {0, 0, 1, 0}, 1, 2, 2, 1, true, false}),
      with_critic({"completion, drop, S 1", completion(1, 1, drop), {0, 0, 1, 0}, 1, 2, 2, 1, true, false}),
      with_critic({"strict, S 1, mail", rules_of("strict", 1, 1), {0, 0, 1, 0}, 1, 3, 1, 1, false}),
      with_reward_model({"strict, S 1, batch 1", rules_of("strict", 1, 1), {1, 0, 1, 0}, 1, 3, 1}),
      with_reward_model(
          {"strict, S 1, batch 1, short path", or_short(rules_of("strict", 2, 1)), {}, 1, 2, 1}),
      with_reward_model(
          {"windowed, S 2, W 2, batch 1", windowed(1, 2, 2), {0, 0, 1, 0}, 1, 3, 1, 2, true, false}),
      with_reward_model(
          {"completion, wait, S 1", leading(rules_of("completion", 1, 1), 1), {0, 0, 1, 0}, 1, 3, 1}),
      with_reward_model(
          {"completion, drop, S 1", leading(rules_of("completion", 1, 1, drop), 1), {0, 0, 1, 0}, 1, 3, 1}),
      with_critic(
          with_reward_model({"strict, S 1, batch 1", rules_of("strict", 1, 1), {0, 0, 1, 0}, 1, 2, 1})),
  };
}

std::vector<configuration> larger() {
  return {
      {"windowed, S 2, W 2, short, large", or_short(windowed(2, 2, 2)), {1, 0, 0, 0}, 1, 3, 2, 2},
      {"completion, wait, S 2, lead 1, short, large", or_short(completion(2, 1)), {1, 0, 0, 0}, 1, 3, 2, 2},
      {"completion, drop, S 1, lead 1, large", completion(1, 1, drop), {1, 1, 0, 0}},
      {"completion, drop, S 1, lead 1, short, large", or_short(completion(1, 1, drop)), {1, 0, 0, 0}},
      {"completion, accept, lead 1, large", accepted, {1, 1, 1, 0}},
      {"windowed, S 2, W 2, mail, large", windowed(2, 2, 2), {}, 1, 3, 1, 2, false},
      {"strict, S 1, short, mail, large",
       or_short(rules_of("strict", 2, 1)),
       {1, 0, 0, 0},
       1,
       2,
       1,
       2,
       false},
  };
}

void check(const configuration &each) {
  const auto setup = each.setup();
  const auto found = explore(each, setup);
  INFO(each.name << ": " << story(found));
  CHECK(found.fault == "");
  CHECK(found.ends > 0);
  if (!setup.contract.bound) return;
  if (each.reaches_bound) CHECK(found.oldest == *setup.contract.bound);
  CHECK(found.oldest_steps <= *setup.contract.bound * setup.steps + setup.steps - 1);
}

}  // namespace

TEST_CASE(
    "in every interleaving of small schedules of every kind the promise is kept and the end is reached") {
  for (const auto &each : configurations()) check(each);
}

TEST_CASE("the same for larger ones, when they are asked for") {
  const char *wanted = std::getenv("SLIPSTREAM_EXPLORE");
  if (wanted == nullptr || std::string(wanted) != "large") return;
  for (const auto &each : larger()) check(each);
}
