// All interleavings of the smallest schedules, and rules made wrong on purpose that this must find. The
// larger ones are in exploration_slow.cpp.
#include "tests/support/explored.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using namespace slipstream::test;

namespace {

void check(const configuration &each) {
  const auto found = explore(each, each.setup());
  INFO(each.name << ": " << story(found));
  CHECK(found.fault == "");
  CHECK(found.ends > 0);
  CHECK(found.states > 500);
  const auto bound = each.setup().contract.bound;
  if (bound && each.reaches_bound) CHECK(found.oldest == *bound);
  if (bound) CHECK(found.oldest_steps <= *bound * 2 + 1);
}

/// The exploration of a schedule that somebody changed finds what is wrong.
void check_caught(const configuration &each, const std::function<void(model_setup &)> &mutate,
                  const std::string &fault) {
  auto setup = each.setup();
  INFO(each.name);
  CHECK(explore(each, setup).fault == "");  // as it is, it is right
  mutate(setup);
  const auto found = explore(each, setup);
  CHECK_THAT(found.fault, test::Contains(fault));
  CHECK_FALSE(found.moves_to_fault.empty());
}

void lead_by_one_more(model_setup &setup) {
  auto &lead = setup.contract.lead;
  lead = schedule_number::constant(lead.most + 1);
}

const auto broken = "the promise is broken";

}  // namespace

TEST_CASE("in every interleaving of a small schedule the promise is kept and the end is reached") {
  check({"strict, S 1", rules_of("strict", 2, 1), {1, 0, 1, 0}});
  check({"windowed, S 2, W 2, batch 1", windowed(1, 2, 2), {1, 1, 0, 0}, 1, 5});
  check({"completion, wait, S 1, lead 1", leading(rules_of("completion", 2, 1), 1), {1, 0, 0, 0}});
  check({"completion, drop, S 1, lead 1",
         leading(rules_of("completion", 2, 1, late_rule::drop), 1),
         {1, 0, 0, 0}});
  auto accept = configuration{"completion, accept, lead 1", rules_of("completion", 2, 1, late_rule::accept)};
  check(accept);
  CHECK(explore(accept, accept.setup()).oldest == 2);  // with 6 rollouts; AReaL's count says 1
}

TEST_CASE("a lead of one version more is caught") {
  for (const auto &each :
       {configuration{"strict", rules_of("strict", 2, 0)}, configuration{"windowed", windowed(2, 1, 2)},
        configuration{"completion, wait", leading(rules_of("completion", 2, 1), 1)}})
    check_caught(each, lead_by_one_more, each.rules.order == "completion" ? "nothing can move" : broken);
}

TEST_CASE("a window of one group more is caught") {
  check_caught(
      {"windowed", windowed(1, 2, 2), {}, 1, 5}, [](auto &setup) { setup.buffer.window = 3; }, broken);
}

TEST_CASE("taking groups as they come where older ones should be waited for is caught") {
  check_caught(
      {"completion, wait", leading(rules_of("completion", 2, 1), 1)},
      [](auto &setup) { setup.buffer.when_late = late_rule::accept; }, broken);
}

TEST_CASE("judging lateness by one version more is caught") {
  check_caught(
      {"completion, drop", leading(rules_of("completion", 2, 1, late_rule::drop), 1)},
      [](auto &setup) { setup.buffer.late_after = 2; }, broken);
}

TEST_CASE("short batches checked as if the order were free are caught") {
  check_caught(
      {"windowed, short batches", or_short(windowed(2, 2, 2)), {}, 1, 4, 1, 3},
      [](auto &setup) { setup.order.spares_places = order_named("completion").spares_places; }, broken);
}

TEST_CASE("weights published too seldom are caught as a deadlock") {
  check_caught(
      {"strict, published every 2", published_every(rules_of("strict", 2, 1), 2)},
      [](auto &setup) { setup.contract.lead = schedule_number::constant(0); }, "nothing can move");
}
