#include <algorithm>
#include <map>
#include <random>

#include "actors/buffer.hpp"
#include "actors/ledger.hpp"
#include "actors/weights.hpp"
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
/// are drawn by chance.
struct loop {
  static constexpr std::int64_t batch = 4, updates = 6, places = 3;

  loop(std::int64_t lead_of_rule, std::uint64_t seed) : lead(lead_of_rule), dice(seed) {
    services = test::make_services(world);
    books = world.own(
        spawn_ledger(world.system(), ledger(admission(batch, lead), 1, batch * updates), true, services));
    buffer =
        world.own(spawn_buffer(world.system(), order_buffer(order_rows()[0], {}, batch), {books, services}));
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
            self->delayed_send(self, soon(80), finished_atom::value, prompt->source->id);
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
            self->request(buffer, caf::infinite, pull_atom::value, version)
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
            ++version;
            self->send(weights, publish(version));
            self->send(books, trained_atom::value, ids_ptr(ids), version);
            if (version < updates) self->send(self, step_atom::value);
          }};
    });
  }

  virtual_time world;
  std::int64_t lead;
  std::mt19937_64 dice;
  run_services services;
  ledger_actor books;
  buffer_actor buffer;
  weights_actor weights;
  std::uint64_t next = 0;
  std::int64_t version = 0, oldest = 0, most_running = 0;
  bool too_old = false;
  std::vector<std::uint64_t> consumed;
};

}  // namespace

TEST_CASE("whoever is slow, the actors keep the promise, the order and the books, and the run ends") {
  for (const std::int64_t lead : {0, 1, 2}) {
    std::int64_t oldest = 0;
    for (std::uint64_t seed = 0; seed < 100; ++seed) {
      INFO("lead " << lead << " seed " << seed);
      loop run(lead, seed);
      REQUIRE(run.world.pass_until([&] { return run.version == loop::updates; }, 1min));
      run.world.pass(1s);  // what is under way arrives
      CHECK_FALSE(run.too_old);
      CHECK(run.most_running <= loop::places);
      CHECK(run.oldest <= lead);
      CHECK(std::is_sorted(run.consumed.begin(), run.consumed.end()));
      const auto answer = test::request<ledger_totals_ptr>(run.world, run.books, totals_atom::value);
      run.world.settle();
      const auto &totals = **answer->reply;
      CHECK(totals.trained == loop::batch * loop::updates);
      CHECK(totals.dropped_total() >= 3);
      CHECK(totals.in_flight() == 0);
      oldest = std::max(oldest, run.oldest);
    }
    CHECK(oldest == lead);  // the bound is tight
  }
}
