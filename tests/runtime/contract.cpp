#include "runtime/schedule/contract.hpp"

#include "tests/support/schedules.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using test::Contains;
using test::rules_of;
using test::windowed;
using test::with;

namespace {

contract_result derive(const schedule_rules &rules, std::int64_t group = 1) {
  return derive_contract(rules, test::order_named(rules.order), group);
}

/// The same order as a program of its own would add it: only its name is another.
contract_result derive_renamed(schedule_rules rules, std::int64_t group = 1) {
  auto own = test::order_named(rules.order);
  own.name = rules.order = "mine";
  return derive_contract(rules, own, group);
}

struct lead_case {
  schedule_rules rules;
  std::int64_t group, lead;
  std::string why;
};

struct fault_case {
  schedule_rules rules;
  std::int64_t group;
  std::string key, message;
};

schedule_rules late_after(schedule_rules rules, std::int64_t versions) {
  rules.late_after = versions;
  return rules;
}
schedule_rules lead(schedule_rules rules, const schedule_number &number) {
  rules.lead = number;
  return rules;
}
schedule_rules publish(schedule_rules rules, std::int64_t versions) {
  rules.publish_every = schedule_number::constant(versions);
  return rules;
}

constexpr auto wait = late_rule::wait;
constexpr auto drop = late_rule::drop;

}  // namespace

TEST_CASE("each order derives the largest lead that keeps the promise, and says why") {
  const std::vector<lead_case> cases = {
      {rules_of("strict", 8, 0), 1, 0, "in the order of their draws"},
      {rules_of("strict", 8, 3), 4, 3, "in the order of their draws"},
      {windowed(8, 2, 1), 1, 2, "at most 0 younger groups"},
      {windowed(8, 2, 2), 1, 1, "less 1 since at most 1 younger groups can come before one, at 8 a batch"},
      {windowed(8, 2, 9), 1, 1, "less 1 since at most 8 younger groups"},
      {windowed(8, 2, 10), 1, 0, "less 2 since at most 9 younger groups"},
      {windowed(8, 2, 3), 4, 1, "at 2 a batch"},
      {windowed(8, 2, 4), 4, 0, "at 2 a batch"},
      {rules_of("completion", 8, 0), 1, 0, "late_after 0"},
      {rules_of("completion", 8, 3), 1, 2, "less 1 as room to overtake"},
      {late_after(rules_of("completion", 8, 3), 2), 1, 1, "late_after 2"},
      {rules_of("completion", 8, 3, drop), 1, 2, "late_after 3"},
      {lead(rules_of("completion", 8, 3), schedule_number::constant(3)), 1, 3,
       "as lead says; 3 would be allowed"},
      {lead(rules_of("strict", 8, 3), schedule_number::constant(1)), 1, 1,
       "as lead says; 3 would be allowed"},
      {publish(rules_of("strict", 8, 2), 3), 1, 2, ""},
  };
  for (const auto &each : cases) {
    const auto derived = derive(each.rules, each.group);
    INFO(each.rules.order << " S " << each.rules.max_staleness << " " << each.why);
    REQUIRE_FALSE(derived.fault);
    CHECK(derived.contract.lead.most == each.lead);
    CHECK(derived.contract.bound == each.rules.max_staleness);
    CHECK_THAT(derived.contract.why, Contains(each.why));
    CHECK(derive_renamed(each.rules, each.group).contract.why == derived.contract.why);
  }
}

TEST_CASE("a window that changes is counted at its largest") {
  auto rules = windowed(4, 3, 1);
  rules.window = test::ramp(1, 6, 2, 9);
  CHECK(derive(rules).contract.lead.most == 1);
}

TEST_CASE("without a promise there is no bound, and it must be wanted") {
  auto rules = rules_of("completion", 8, 2, late_rule::accept);
  const auto derived = derive(rules);
  REQUIRE_FALSE(derived.fault);
  CHECK_FALSE(derived.contract.bound);
  CHECK(derived.contract.lead.most == 2);
  CHECK_FALSE(derive_renamed(rules).contract.bound);
  rules.allow_unbounded_staleness = false;
  CHECK(derive(rules).fault.value().key == "when_late");
  auto own = test::order_named("strict");
  own.name = "mine";
  own.lead = nullptr;
  CHECK(derive_contract(rules_of("strict", 8, 2), own, 1).fault.value().key == "order");
}

TEST_CASE("contradictions are refused by the key that is wrong, with what to write instead") {
  const auto strict = rules_of("strict", 8, 2);
  const std::vector<fault_case> cases = {
      {windowed(8, 0, 2), 1, "window", "would starve: no lead keeps max_staleness = 0"},
      {windowed(8, 1, 10), 1, "window", "make window smaller or max_staleness larger"},
      {late_after(rules_of("completion", 8, 2), 3), 1, "late_after", "set it to 2 or less"},
      {lead(strict, schedule_number::constant(3)), 1, "lead", "set lead to 2 or less"},
      {lead(windowed(8, 2, 2), schedule_number::constant(2)), 1, "lead", "set lead to 1 or less"},
      {lead(late_after(rules_of("completion", 8, 3), 1), schedule_number::constant(2)), 1, "lead",
       "set lead to 1"},
      {lead(strict, test::ramp(0, 3, 0, 4)), 1, "lead", "set lead to 2 or less"},
      {publish(strict, 4), 1, "publish_every", "need a lead of 3 or more, and here it is 2"},
      {publish(rules_of("completion", 8, 2), 3), 1, "publish_every",
       "need a lead of 2 or more, and here it is 1"},
      {publish(lead(strict, test::ramp(2, 0, 0, 4)), 2), 1, "publish_every", "here it is 0"},
      {with(strict, [](auto &r) { r.max_in_flight = 7; }), 1, "max_in_flight", "set it to 8 or more"},
      {with(strict, [](auto &r) { r.max_running = 3; }), 4, "max_running", "set it to 4 or more"},
      {with(strict, [](auto &r) { r.batch_least = 9; }), 1, "batch_least", "more than batch = 8"},
      {with(windowed(8, 2, 2), [](auto &r) { r.lag = lag_rule::exactly; }), 1, "lag",
       "needs order = \"strict\""},
      {with(strict,
            [](auto &r) {
              r.lag = lag_rule::exactly;
              r.lead = test::ramp(1, 2, 0, 4);
            }),
       1, "lead", "a number"},
      {with(strict,
            [](auto &r) {
              r.lag = lag_rule::exactly;
              r.guards = {{"kl", 1.0, {}, guard_action::shrink}};
            }),
       1, "guards", "shrinks the lead"},
      {with(lead(strict, test::ramp(2, 1, 0, 4)),
            [](auto &r) {
              r.guards = {{"kl", 1.0, {}, guard_action::shrink}};
            }),
       1, "guards", "undo each other"},
  };
  for (const auto &each : cases) {
    const auto derived = derive(each.rules, each.group);
    INFO(each.key << ": " << each.message);
    REQUIRE(derived.fault);
    CHECK(derived.fault->key == each.key);
    CHECK_THAT(derived.fault->message, Contains(each.message));
    CHECK(derive_renamed(each.rules, each.group).fault.value().message == derived.fault->message);
  }
}

TEST_CASE("what an order does not declare is not asked of it") {
  auto own = test::order_named("completion");
  own.name = "mine";
  own.accepts_late = own.meets_deadlines = false;
  auto rules = late_after(rules_of("mine", 8, 2, late_rule::accept), 3);
  const auto derived = derive_contract(rules, own, 1);
  REQUIRE_FALSE(derived.fault);  // a late_after of 3 is no deadline that it meets
  CHECK(derived.contract.bound == 2);
  rules.lag = lag_rule::exactly;
  CHECK(derive_contract(rules, own, 1).fault.value().key == "lag");
  own.overtakes = false, own.place_decides_batch = true;
  CHECK_FALSE(derive_contract(rules, own, 1).fault);
}

TEST_CASE("a guard that shrinks the lead leaves what publishing needs") {
  auto rules = publish(rules_of("strict", 8, 3), 2);
  rules.guards = {{"kl", 1.0, {}, guard_action::shrink}};
  const auto derived = derive(rules);
  REQUIRE_FALSE(derived.fault);
  CHECK(derived.contract.lead.least == 1);
  CHECK(derived.contract.lead.first == 3);
}
