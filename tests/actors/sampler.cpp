#include "actors/sampler.hpp"

#include <ATen/core/Tensor.h>

#include <map>

#include "actors/ledger.hpp"
#include "actors/weights.hpp"
#include "runtime/journal/resume.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"
#include "tests/support/virtual_time.hpp"

using namespace slipstream;
using slipstream::test::virtual_time;

namespace {

constexpr std::int64_t group = 2, length = 12;

model_spec tiny_spec(const tokenizer &text) {
  model_spec spec;
  spec.vocab_size = text.vocab_size();
  spec.hidden_size = 16;
  spec.intermediate_size = 24;
  spec.layers = 1;
  spec.heads = spec.kv_heads = 2;
  spec.head_dim = 8;
  spec.max_positions = 24;
  spec.tied_embeddings = true;
  spec.eos_tokens = {text.eos()};
  spec.initializer_range = 0.4;
  return spec;
}

generation_request request_of(std::uint64_t id) {
  generation_request request;
  request.id = id;
  request.prompt = {3, 4, 5 + static_cast<std::int64_t>(id % 4)};
  request.samples = group;
  request.max_new_tokens = length;
  request.min_new_tokens = length / 2;
  request.seed = 9;
  return request;
}

/// The real ledger, weights and sampler between a loader and a sink that a test makes up.
struct sampling {
  explicit sampling(std::int64_t lead, bool exact_lag = false, const run_history *history = nullptr,
                    std::int64_t places = 2) {
    services = test::make_services(world);
    services.journal = world.spawn<journal_actor>([this](journal_actor::pointer) {
      return journal_actor::behavior_type{
          [this](const journal_event_ptr &event) { events.push_back(*event); },
          [](flush_atom) { return flush_atom::value; }};
    });
    weights = world.own(spawn_weights(world.system(), published(0)));
    ledger empty(admission(group, lead), group, 100);
    books = world.own(history ? spawn_ledger(world.system(),
                                             ledger_machine(restored_books(empty, group, *history), true,
                                                            {history->version(), waiting_again(*history),
                                                             begun_again(*history)}),
                                             services)
                              : spawn_ledger(world.system(), ledger_machine(empty, true), services));
    next = history ? history->next_id() : 0;
    sampler = world.own(spawn(lead, exact_lag, places));
    caf::anon_send(books, subscribe_atom::value, make_loader(), sample_sink());
  }

  caf::strong_actor_ptr spawn(std::int64_t lead, bool exact_lag, std::int64_t places) {
    sampler_setup setup;
    setup.share = {"sampler", 1, services};
    setup.engine.slots = 3;
    setup.request = request_of(0);
    setup.mode = numerics::exact;
    setup.text = text;
    setup.ledger = books;
    setup.weights = weights;
    setup.places = places;
    setup.exact_lag = exact_lag;
    setup.lead = lead;
    setup.notes_progress = true;
    setup.sinks = {world.spawn<rollout_sink>([this](rollout_sink::pointer) {
      return rollout_sink::behavior_type{
          [this](const group_ptr &made) { finished[made->source->id] = made; }};
    })};
    return spawn_sampler(world.system(), false, setup);
  }

  loader_actor make_loader() {
    return world.spawn<loader_actor>([this](loader_actor::pointer) {
      const auto draw = [](std::uint64_t id) {
        auto line = std::make_shared<example>();
        line->id = id;
        return drawn{line, request_of(id).prompt, nullptr};
      };
      return loader_actor::behavior_type{[=, this](draw_atom, std::int64_t count) -> drawn_batch_ptr {
                                           auto lines = std::make_shared<std::vector<drawn>>();
                                           for (; count > 0; --count) lines->push_back(draw(next++));
                                           return lines;
                                         },
                                         [=](draw_atom, const ids_ptr &ids) -> drawn_batch_ptr {
                                           auto lines = std::make_shared<std::vector<drawn>>();
                                           for (const auto id : *ids) lines->push_back(draw(id));
                                           return lines;
                                         }};
    });
  }

  std::shared_ptr<const transformer> model(std::int64_t version) const {
    const auto spec = tiny_spec(*text);
    return std::make_shared<transformer>(
        spec, initial_parameters(spec, 20 + static_cast<std::uint64_t>(version)), numerics::exact);
  }
  snapshot_ptr published(std::int64_t version) const {
    return std::make_shared<snapshot>(snapshot{version, model(version)});
  }
  /// One prompt's answers with one version's weights, and nothing else running.
  std::vector<generation> alone(std::uint64_t id, std::int64_t version) const {
    engine decoder(engine_options{});
    decoder.set_weights(model(version), version);
    decoder.submit(request_of(id));
    for (;;)
      for (auto &done : decoder.step()) return done.samples;
  }
  ledger_totals hand_back() {
    const auto answer = test::request<ledger_totals_ptr>(world, books, flush_atom::value);
    world.settle_until([&] { return answer->reply.has_value(); });
    REQUIRE(answer->reply);
    return **answer->reply;
  }
  std::int64_t journalled_tokens() const {
    std::int64_t count = 0;
    for (const auto &event : events)
      if (const auto *progress = std::get_if<group_progress>(&event)) count += token_count(progress->samples);
    return count;
  }
  run_history history_after(std::int64_t version, const std::vector<journal_event> &before) const {
    const test::scratch folder;
    journal_writer writer(folder.path());
    for (const auto &event : before) writer.append({1, event});
    for (const auto &event : events) writer.append({1, event});
    return read_history(folder.path(), {{"", version}});
  }

  // before the world, whose last messages are told to them
  std::uint64_t next = 0;
  std::vector<journal_event> events;
  std::map<std::uint64_t, group_ptr> finished;

  virtual_time world;
  std::shared_ptr<const tokenizer> text = make_character_tokenizer("0123456789");
  run_services services;
  weights_actor weights;
  ledger_actor books;
  caf::strong_actor_ptr sampler;
};

bool equal(const std::vector<generation> &a, const std::vector<generation> &b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const generation &x, const generation &y) {
    return x.tokens == y.tokens && x.logprobs == y.logprobs && x.reason == y.reason;
  });
}

}  // namespace

TEST_CASE("a stopped sampler puts down what it has, and another goes on behind the last token") {
  bool some_partial = false, some_untouched = false;
  for (int messages = 6; messages < 90; messages += 3) {
    INFO(messages);
    sampling first(2, false, nullptr, 4);
    int left = messages;
    first.world.settle_until([&] { return left-- == 0; });
    const auto totals = first.hand_back();
    CHECK(totals.running == 0);
    CHECK(totals.drawn == totals.in_flight());
    const auto delivered = first.finished;
    first.world.pass(std::chrono::seconds(5));
    CHECK(first.finished.size() == delivered.size());  // it goes no further

    const auto history = first.history_after(0, {run_opened{"r", 1, group, true}});
    CHECK(history.totals().waiting == totals.waiting);
    CHECK(history.totals().partial == totals.partial + totals.finished);  // whole, but not in the buffer
    some_partial = some_partial || totals.partial > 0;
    some_untouched = some_untouched || totals.waiting > 0;

    sampling second(2, false, &history, 4);
    second.world.settle();
    REQUIRE(second.finished.size() == 3);  // a batch is one prompt, and the lead is two
    std::int64_t all = 0;
    for (const auto &[id, made] : second.finished) {
      CHECK(equal(made->rollouts, second.alone(id, 0)));
      CHECK((!delivered.contains(id) || equal(made->rollouts, delivered.at(id)->rollouts)));
      for (const auto &rollout : made->rollouts) all += std::ssize(rollout.tokens);
    }
    CHECK(first.journalled_tokens() + second.journalled_tokens() == all);  // no token was made twice
  }
  CHECK(some_partial);
  CHECK(some_untouched);
}

TEST_CASE("where answers under way do not count, whole ones still do") {
  sampling first(1);
  REQUIRE(first.world.settle_until([&] { return first.finished.size() == 1; }));
  first.hand_back();
  const auto history = first.history_after(0, {run_opened{"r", 1, group, false}});
  CHECK(history.totals().partial == group);
  CHECK(history.totals().waiting == group);
  sampling second(1, false, &history);
  second.world.settle();
  CHECK(second.finished.size() == 2);
  const auto id = first.finished.begin()->first;
  CHECK(equal(second.finished.at(id)->rollouts, first.finished.at(id)->rollouts));
  std::int64_t others = 0;
  for (const auto &rollout : second.finished.at(1 - id)->rollouts) others += std::ssize(rollout.tokens);
  CHECK(second.journalled_tokens() == others);
}

TEST_CASE("a prompt that comes before its weights waits for them, and is put down where they do not come") {
  for (const bool arrives : {true, false}) {
    sampling run(0);
    run.world.settle();
    REQUIRE(run.finished.size() == 1);
    // as a proxy speaks for it, once version 1 is on its way
    caf::anon_send(run.books, credit_atom::value, caf::actor_cast<work_sink>(run.sampler), std::int64_t{0},
                   std::int64_t{1});
    run.world.settle();
    CHECK(run.next == 2);  // drawn and given to it
    CHECK(run.finished.size() == 1);
    if (arrives) caf::anon_send(run.weights, run.published(1));
    run.world.settle();
    const auto totals = run.hand_back();
    CHECK(totals.waiting == (arrives ? 0 : group));
    CHECK(totals.running == 0);
    REQUIRE(run.finished.size() == (arrives ? 2 : 1));
    if (!arrives) continue;
    CHECK(equal(run.finished.at(1)->rollouts, run.alone(1, 1)));
    for (const auto &rollout : run.finished.at(1)->rollouts)
      CHECK(rollout.versions == std::vector<std::int64_t>(rollout.tokens.size(), 1));
  }
}

TEST_CASE("with an exact lag every prompt is made wholly by its own version, however late it starts") {
  auto run_of = [](bool exact_lag) {
    auto run = std::make_unique<sampling>(2, exact_lag, nullptr, 1);
    run->world.settle_until([&] { return run->next > 0; });
    for (std::int64_t version = 1; version <= 2; ++version)
      caf::anon_send(run->weights, run->published(version));
    run->world.settle_until([] { return false; });
    return run;
  };
  const auto exact = run_of(true), free = run_of(false);
  std::map<std::int64_t, int> prompts;
  for (const auto &[id, made] : exact->finished) {
    ++prompts[made->min_version];
    CHECK(equal(made->rollouts, exact->alone(id, made->min_version)));
    for (const auto &rollout : made->rollouts) {
      CHECK(rollout.versions == std::vector<std::int64_t>(rollout.tokens.size(), made->min_version));
      CHECK(rollout.cache_versions == rollout.versions);
    }
  }
  CHECK(prompts.size() == 3);
  CHECK(prompts[0] == 3);
  // without it a late prompt takes the newest weights
  CHECK(free->finished.at(2)->min_version == 0);
  CHECK(free->finished.at(2)->rollouts.front().versions.front() == 2);
}
