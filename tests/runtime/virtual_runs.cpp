#include "runtime/simulation/virtual_run.hpp"

#include <cstdlib>
#include <iostream>
#include <map>
#include <optional>
#include <random>

#include "models/error.hpp"
#include "tests/support/schedules.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using test::order_named;

namespace {

/// Draws schedules of every kind, and what goes wrong while they run.
class chance {
 public:
  explicit chance(std::uint64_t seed) : dice_(seed) {}

  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(dice_() % static_cast<std::uint64_t>(high - low + 1));
  }
  bool one_in(std::int64_t sides) { return between(1, sides) == 1; }

  model_setup setup() {
    const auto group = between(1, 3), places = between(1, 5);
    auto rules = test::rules_of("strict", group * places, between(0, 4));
    pick_order(rules, places);
    if (one_in(3)) rules.publish_every = schedule_number::constant(between(1, 3));
    if (one_in(4)) {
      rules.batch_least = between(1, rules.batch);
      rules.batch_after = 0.3;
    }
    if (one_in(4)) rules.max_running = group * between(1, 6);
    if (one_in(4)) rules.max_in_flight = rules.batch + group * between(0, 6);
    if (one_in(3)) rules.on_new_weights = new_weights::finish;
    if (one_in(3)) change_numbers(rules, group);
    if (rules.lead && one_in(2) && rules.lead->how != schedule_number::kind::ramp)
      rules.guards.push_back({"kl", 0.7, std::nullopt, guard_action::shrink});
    auto result = model_setup::of(rules, order_named(rules.order), group, between(4, 12));
    result.samplers = static_cast<std::size_t>(between(1, 4));
    result.slots = between(1, 4);
    result.steps = between(1, 4);
    if (one_in(4)) result.learners.push_back({"critic", "path"});
    if (one_in(5)) {
      result.learners.push_back({"reward model", "pairs"});
      if (result.rules.max_in_flight > 0)  // as check asks for where learners keep a pace of their own
        result.rules.max_in_flight = std::max(result.rules.max_in_flight, 2 * result.rules.batch);
    }
    return result;
  }

  virtual_costs costs() {
    virtual_costs costs;
    costs.spread = static_cast<double>(between(0, 9)) / 10;
    costs.straggler_share = one_in(2) ? 0.15 : 0;
    costs.straggler_factor = static_cast<double>(between(2, 60));
    costs.generate = static_cast<double>(between(1, 20)) / 10;
    costs.train = static_cast<double>(between(1, 20)) / 10;
    costs.transfer = one_in(3) ? 3.0 : 0.1;
    costs.mail = one_in(3) ? 0.2 : 0.001;
    costs.reject = one_in(2) ? 0.2 : 0;
    costs.guard = one_in(3) ? 0.2 : 0;
    costs.lifetime = one_in(3) ? 15 : 0;
    costs.load = one_in(3) ? 0.5 : 0.01;
    return costs;
  }

 private:
  void pick_order(schedule_rules &rules, std::int64_t places) {
    switch (between(0, 3)) {
      case 1:
        rules.order = "windowed";
        rules.window = one_in(3) ? test::ramp(between(1, 4), between(1, 2 * places), 1, 5)
                                 : schedule_number::constant(between(1, 2 * places + 1));
        break;
      case 2:
        rules.order = "completion";
        break;
      case 3:
        rules.order = "completion";
        rules.when_late = late_rule::drop;
        break;
      default:
        break;
    }
    if (rules.order == "completion" && one_in(3)) rules.late_after = between(0, rules.max_staleness);
  }

  // The lead changes within what the promise allows at most.
  void change_numbers(schedule_rules &rules, std::int64_t group) {
    const auto derived = derive_contract(rules, order_named(rules.order), group);
    if (derived.fault) return;
    const auto most = rules.order == "completion" ? derived.contract.late_after : derived.contract.lead.most;
    rules.lead = one_in(2) ? test::ramp(most, between(0, most), 1, 6)
                           : test::feedback("ess", 0.5, between(0, most), most, between(1, 2));
  }

  std::mt19937_64 dice_;
};

std::string kind_of(const schedule_rules &rules) {
  std::string name = rules.order;
  if (rules.order == "completion") name += rules.when_late == late_rule::drop ? " drop" : " wait";
  return name + (rules.publish_every.most > 1 ? ", published now and then" : "");
}

/// How many versions may go by from a prompt's draw to its training at most, as docs/contract.md says.
std::optional<std::int64_t> longest_wait(const model_setup &setup, const virtual_costs &costs) {
  const auto late_after = setup.contract.late_after;
  const bool may_be_short = setup.rules.batch_least > 0;
  if (setup.rules.order != "completion") return (may_be_short ? 2 : 1) * setup.rules.max_staleness;
  if (setup.rules.when_late == late_rule::wait) return 2 * late_after;
  if (costs.lifetime > 0) return {};  // what is reissued again and again is late again and again
  if (may_be_short) return {};        // versions go on with fewer groups than a prompt counted on at its draw
  return late_after + setup.contract.lead.most + 1;
}

/// What all schedules of a kind came to.
struct experience {
  std::int64_t runs = 0, reached = 0, oldest = 0;
};

}  // namespace

TEST_CASE(
    "whatever the schedule and whoever is slow or dies, the promise is kept, the books close, the run ends") {
  std::map<std::string, experience> kinds;
  std::int64_t refused = 0, dropped = 0, reissued = 0, changes = 0, short_batches = 0, steps_reached = 0;
  for (std::uint64_t seed = 0; seed < 6000; ++seed) {
    INFO("schedule " << seed);
    chance by(seed);
    std::optional<model_setup> setup;
    try {
      setup = by.setup();
    } catch (const input_error &) {  // a contradiction; derive_contract has tests of its own
      ++refused;
      continue;
    }
    const auto costs = by.costs();
    const auto report = run_virtually(*setup, costs, seed);
    INFO(kind_of(setup->rules) << "; " << report.stuck);
    REQUIRE(report.finished);
    const auto bound = setup->contract.bound.value();
    CHECK(report.oldest <= bound);
    CHECK(report.oldest_steps <= bound * setup->steps + setup->steps - 1);
    if (const auto most = longest_wait(*setup, costs)) CHECK(report.longest_wait <= *most);
    const auto &totals = report.totals;
    CHECK(totals.drawn == totals.trained + totals.dropped_total() + totals.in_flight());
    auto &kind = kinds[kind_of(setup->rules)];
    ++kind.runs;
    kind.reached += bound > 0 && report.oldest == bound ? 1 : 0;
    kind.oldest = std::max(kind.oldest, report.oldest);
    if (bound > 0 && setup->steps > 1)
      steps_reached += report.oldest_steps == bound * setup->steps + setup->steps - 1 ? 1 : 0;
    dropped += totals.dropped_total();
    reissued += totals.reissued;
    changes += report.changes;
    short_batches += report.short_batches;
  }
  for (const auto &[name, kind] : kinds) {
    INFO(name << ": " << kind.runs << " runs, " << kind.reached << " reached their bound, oldest "
              << kind.oldest);
    CHECK(kind.runs > 50);
    CHECK(kind.reached > 0);
  }
  CHECK(kinds.size() == 8);
  CHECK(refused < 4000);
  CHECK(dropped > 1000);
  CHECK(reissued > 1000);
  CHECK(changes > 1000);
  CHECK(short_batches > 300);
  CHECK(steps_reached > 0);
}

TEST_CASE("a virtual run is the same twice, and another one with another seed") {
  auto rules = test::windowed(8, 3, 4);
  auto setup = model_setup::of(rules, order_named("windowed"), 2, 20);
  setup.samplers = 3;
  setup.slots = 2;
  virtual_costs costs;
  costs.spread = 0.7;
  costs.reject = 0.1;
  costs.lifetime = 20;
  const auto one = run_virtually(setup, costs, 5), two = run_virtually(setup, costs, 5),
             other = run_virtually(setup, costs, 6);
  CHECK(one.finished);
  CHECK(one.seconds == two.seconds);
  CHECK(one.events == two.events);
  CHECK(one.totals.drawn == two.totals.drawn);
  CHECK(one.seconds != other.seconds);
}

namespace {

/// The oldest token that a run with stragglers trains on, by order.
std::int64_t oldest_with(const std::string &order, late_rule late, std::int64_t staleness, double factor) {
  auto rules = test::rules_of(order, 16, staleness, late);
  // AReaL's rule as it stands: the lead is the staleness wanted, and finished rollouts go as they come
  if (late == late_rule::accept) rules.lead = schedule_number::constant(staleness);
  auto setup = model_setup::of(rules, order_named(order), 1, 200);
  setup.samplers = 4;
  setup.slots = 16;
  virtual_costs costs;
  costs.spread = 0.1;
  costs.straggler_share = 0.01;
  costs.straggler_factor = factor;
  std::int64_t oldest = 0;
  for (std::uint64_t seed = 0; seed < 3; ++seed) {
    const auto report = run_virtually(setup, costs, seed);
    REQUIRE(report.finished);
    oldest = std::max(oldest, report.oldest);
  }
  return oldest;
}

}  // namespace

TEST_CASE("an admission count alone bounds no single sample's age when finished ones go as they come") {
  for (const std::int64_t staleness : {1, 2, 4}) {
    std::int64_t before = 0;
    for (const double factor : {1.0, 5.0, 20.0, 80.0}) {
      const auto oldest = oldest_with("completion", late_rule::accept, staleness, factor);
      INFO("lead " << staleness << ", stragglers " << factor << " times: oldest " << oldest);
      if (std::getenv("SLIPSTREAM_PRINT"))
        std::cout << "lead " << staleness << ", stragglers x" << factor << ": oldest " << oldest << "\n";
      CHECK(oldest >= before);  // it grows with the straggler, without end
      before = oldest;
      for (const auto late : {late_rule::wait, late_rule::drop})
        CHECK(oldest_with("completion", late, staleness, factor) <= staleness);
    }
    CHECK(before > 2 * staleness + 20);
  }
}
