#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "actors/buffer.hpp"
#include "actors/ledger.hpp"
#include "actors/weights.hpp"
#include "tests/support/schedules.hpp"
#include "tests/support/test.hpp"
#include "tests/support/virtual_time.hpp"

using namespace slipstream;
using namespace std::chrono_literals;
using slipstream::test::virtual_time;

namespace {

using fake_sampler = caf::typed_actor<caf::reacts_to<work_ptr>, caf::reacts_to<snapshot_ptr>,
                                      caf::reacts_to<finished_atom, std::uint64_t>>;
using fake_learner = caf::typed_actor<caf::reacts_to<step_atom>, caf::reacts_to<trained_atom, batch_ptr>>;

/// A loop of the real ledger, buffer and weights with a sampler and a learner that only take time; all times
/// are drawn by chance, and where the schedule has numbers that change, so are their changes.
struct loop {
  static constexpr std::int64_t batch = 4, updates = 6, places = 3;

  loop(const schedule_rules &schedule, std::uint64_t seed, double guards_of = 0)
      : plan(model_setup::of(schedule, test::order_named(schedule.order), 1, updates)),
        guards(guards_of),
        dice(seed) {
    services = test::make_services(world);
    ledger empty(admission(batch, plan.contract.lead.first), 1, batch * updates,
                 {schedule.max_running, schedule.max_in_flight});
    books = world.own(spawn_ledger(world.system(), ledger_machine(std::move(empty), true), services));
    buffer_setup setup{{order_buffer(plan.order, plan.buffer, batch)}, books, services};
    setup.rules.least = schedule.batch_least;
    setup.patience = std::chrono::milliseconds(static_cast<std::int64_t>(schedule.batch_after * 1000));
    buffer = world.own(spawn_buffer(world.system(), std::move(setup)));
    caf::anon_send(books, subscribe_atom::value, caf::actor_cast<draw_sink>(buffer));
    weights = world.own(spawn_weights(world.system(), publish(0)));
    for (int i = 0; i < 2; ++i) make_sampler();
    caf::anon_send(make_learner(), step_atom::value);
    caf::anon_send(books, subscribe_atom::value, make_loader(), sample_sink());
  }

  static snapshot_ptr publish(std::int64_t version) {
    return std::make_shared<snapshot>(snapshot{version, nullptr});
  }
  std::chrono::milliseconds soon(std::uint64_t most) {
    return std::chrono::milliseconds(dice() % (most + 1));
  }

  loader_actor make_loader() {
    return world.spawn<loader_actor>([this](loader_actor::pointer) {
      return loader_actor::behavior_type{[this](draw_atom, std::int64_t count) -> drawn_batch_ptr {
                                           auto lines = std::make_shared<std::vector<drawn>>();
                                           for (std::int64_t i = 0; i < count; ++i) {
                                             auto line = std::make_shared<example>();
                                             line->id = next++;
                                             lines->push_back({line, {1}, nullptr});
                                           }
                                           return lines;
                                         },
                                         [](draw_atom, const ids_ptr &) -> drawn_batch_ptr {
                                           throw std::logic_error("nothing was drawn before");
                                         }};
    });
  }

  /// Gets new weights late, answers after a while, and now and then has nothing to show.
  void make_sampler() {
    const auto sampler = world.spawn<fake_sampler>([this](fake_sampler::pointer self) {
      auto held = std::make_shared<std::int64_t>(-1), running = std::make_shared<std::int64_t>(0);
      auto begun = std::make_shared<std::map<std::uint64_t, std::int64_t>>();
      return fake_sampler::behavior_type{
          [=, this](const work_ptr &prompt) {
            too_old = too_old || *held < prompt->min_version;
            most_running = std::max(most_running, ++*running);
            (*begun)[prompt->source->id] = *held;
            self->delayed_send(self, soon(80) * (dice() % 8 == 0 ? 4 : 1), finished_atom::value,
                               prompt->source->id);
          },
          [=, this](const snapshot_ptr &published) {
            const auto first = *held < 0;
            *held = published->version;
            self->send(books, credit_atom::value, caf::actor_cast<work_sink>(self),
                       first ? places : std::int64_t{0}, *held);
          },
          [=, this](finished_atom, std::uint64_t id) {
            --*running;
            auto group = std::make_shared<sample_group>();
            group->id = id;
            group->rollouts = 1;
            group->drop_reason = id % 7 == 3 ? "nothing" : "";
            if (group->drop_reason.empty()) group->samples.resize(1);
            for (auto &entry : group->samples) entry.versions = {begun->at(id)};
            self->send(books, finished_atom::value, id);
            self->send(buffer, sample_group_ptr(group));
            self->send(books, credit_atom::value, caf::actor_cast<work_sink>(self), std::int64_t{1}, *held);
          }};
    });
    // a relay between the weights and the sampler: how long the transfer takes
    const auto relay = world.spawn<weights_sink>([this, sampler](weights_sink::pointer self) {
      const auto delay = soon(100);
      return weights_sink::behavior_type{
          [=](const snapshot_ptr &published) { self->delayed_send(sampler, delay, published); }};
    });
    caf::anon_send(weights, subscribe_atom::value, relay);
  }

  fake_learner make_learner() {
    return world.spawn<fake_learner>([this](fake_learner::pointer self) {
      return fake_learner::behavior_type{
          [=, this](step_atom) {
            self->request(buffer, caf::infinite, pull_atom::value, std::string(), version)
                .then([=, this](const batch_ptr &pulled) {
                  self->delayed_send(self, soon(60), trained_atom::value, pulled);
                });
          },
          [=, this](trained_atom, const batch_ptr &pulled) {
            auto ids = std::make_shared<std::vector<std::uint64_t>>();
            for (const auto &group : *pulled) {
              ids->push_back(group->id);
              oldest = std::max(oldest, version - group->samples.front().versions.front());
            }
            consumed.insert(consumed.end(), ids->begin(), ids->end());
            missing += batch - static_cast<std::int64_t>(ids->size());
            ++version;
            if (version - newest_out >= plan.rules.publish_every.first || version == updates) {
              newest_out = version;
              self->send(weights, publish(version));
            }
            change(self);
            if (static_cast<double>(dice() % 100) < guards * 100) {
              given_up += static_cast<std::int64_t>(ids->size());
              self->send(books, guard_atom::value, std::string(), ids_ptr(ids), std::string("guard"));
              ids = std::make_shared<std::vector<std::uint64_t>>();
            }
            self->send(books, trained_atom::value, std::string(), ids_ptr(ids), version);
            if (version < updates) self->send(self, step_atom::value);
          }};
    });
  }

  /// Any value that the numbers may have, at any version.
  void change(fake_learner::pointer self) {
    const auto any = [&](const schedule_number &number) {
      return number.least +
             static_cast<std::int64_t>(dice() % static_cast<std::uint64_t>(number.most - number.least + 1));
    };
    const auto &lead = plan.contract.lead, &window = plan.rules.window;
    if (lead.least != lead.most) self->send(books, change_atom::value, any(lead));
    if (window.least != window.most) self->send(buffer, change_atom::value, any(window));
  }

  virtual_time world;
  model_setup plan;
  double guards;
  std::mt19937_64 dice;
  run_services services;
  ledger_actor books;
  buffer_actor buffer;
  weights_actor weights;
  std::uint64_t next = 0;
  std::int64_t version = 0, newest_out = 0, oldest = 0, most_running = 0, missing = 0, given_up = 0;
  bool too_old = false;
  std::vector<std::uint64_t> consumed;
};

}  // namespace

namespace {

struct outcome {
  std::int64_t oldest = 0, missing = 0, given_up = 0, late = 0, overtaken = 0;
};

/// Many runs of a schedule with other times: the promise, the books and the end are looked at in each.
outcome run_many(const schedule_rules &schedule, std::uint64_t seeds, double guards = 0) {
  outcome all;
  for (std::uint64_t seed = 0; seed < seeds; ++seed) {
    INFO(schedule.order << " S " << schedule.max_staleness << " seed " << seed);
    loop run(schedule, seed, guards);
    const auto made_all = [&] { return run.version == loop::updates; };
    for (int step = 0; step < 10000 && !made_all(); ++step) run.world.pass(5ms, 5ms);
    REQUIRE(made_all());
    run.world.pass(1s);  // what is under way arrives
    CHECK_FALSE(run.too_old);
    CHECK(run.most_running <= loop::places);
    if (run.plan.contract.bound) CHECK(run.oldest <= *run.plan.contract.bound);
    CHECK(std::set<std::uint64_t>(run.consumed.begin(), run.consumed.end()).size() == run.consumed.size());
    const auto answer = test::request<ledger_totals_ptr>(run.world, run.books, totals_atom::value);
    run.world.settle();
    const auto &totals = **answer->reply;
    CHECK(totals.trained == loop::batch * loop::updates - run.missing - run.given_up);
    CHECK((totals.in_flight() == 0 || run.missing > 0));
    const auto of = [&](const char *reason) {
      const auto found = totals.dropped.find(reason);
      return found == totals.dropped.end() ? std::int64_t{0} : found->second;
    };
    CHECK(of("nothing") >= 1);
    CHECK(of("guard") == run.given_up);
    all.late += of("late");
    all.oldest = std::max(all.oldest, run.oldest);
    all.missing += run.missing;
    all.given_up += run.given_up;
    all.overtaken += std::is_sorted(run.consumed.begin(), run.consumed.end()) ? 0 : 1;
  }
  return all;
}

constexpr auto drop = late_rule::drop;

}  // namespace

TEST_CASE("whoever is slow, the actors keep the promise, the order and the books, and the run ends") {
  for (const std::int64_t lead : {0, 1, 2}) {
    const auto all = run_many(test::rules_of("strict", loop::batch, lead), 100);
    CHECK(all.oldest == lead);  // the bound is tight
    CHECK(all.overtaken == 0);
    CHECK(all.late + all.missing + all.given_up == 0);
  }
}

TEST_CASE("the actors keep the promise where groups overtake") {
  const auto windowed = run_many(test::windowed(loop::batch, 2, 3), 100);
  CHECK(windowed.oldest == 2);
  CHECK(windowed.overtaken > 50);
  auto waiting = test::rules_of("completion", loop::batch, 1);
  waiting.lead = schedule_number::constant(1);
  const auto waited = run_many(waiting, 100);
  CHECK(waited.oldest == 1);
  CHECK(waited.overtaken > 50);
  CHECK(waited.late == 0);
  auto dropping = test::rules_of("completion", loop::batch, 1, drop);
  dropping.lead = schedule_number::constant(1);
  const auto dropped = run_many(dropping, 100);
  CHECK(dropped.oldest == 1);
  CHECK(dropped.late > 0);
  CHECK(run_many(test::rules_of("completion", loop::batch, 1, late_rule::accept), 100).oldest > 1);
}

TEST_CASE(
    "the actors keep the promise with short batches, guards, changing numbers, rare publishing and caps") {
  const auto impatient = [](schedule_rules rules) {
    rules.batch_least = 2;
    rules.batch_after = 0.02;
    return rules;
  };
  for (const auto &rules :
       {test::rules_of("strict", loop::batch, 2), test::windowed(loop::batch, 3, 2),
        test::rules_of("completion", loop::batch, 2), test::rules_of("completion", loop::batch, 2, drop)}) {
    CHECK(run_many(impatient(rules), 60, 0.3).missing > 0);
    CHECK(run_many(rules, 30, 0.3).given_up > 0);
    auto rare = rules;
    rare.publish_every = schedule_number::constant(2);
    run_many(rare, 30, 0.2);
    auto capped = rules;
    capped.max_in_flight = loop::batch + 1;
    capped.max_running = 2;
    run_many(capped, 30);
  }
  auto turning = test::windowed(loop::batch, 3, 1);
  turning.window = test::ramp(1, 5, 0, 9);
  turning.lead = test::ramp(2, 0, 0, 9);
  run_many(impatient(turning), 100, 0.2);
}
