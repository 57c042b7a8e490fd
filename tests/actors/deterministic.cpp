#include "actors/buffer.hpp"
#include "actors/join.hpp"
#include "actors/ledger.hpp"
#include "actors/weights.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"
#include "tests/support/virtual_time.hpp"

using namespace slipstream;
using namespace std::chrono_literals;
using slipstream::test::virtual_time;

namespace {

/// Draws prompts 0, 1, 2 … and counts them.
loader_actor make_loader(virtual_time &world, std::shared_ptr<std::uint64_t> drawn) {
  return world.spawn<loader_actor>([drawn](loader_actor::pointer) -> loader_actor::behavior_type {
    const auto add = [](std::vector<slipstream::drawn> &lines, std::uint64_t id) {
      auto line = std::make_shared<example>();
      line->id = id;
      lines.push_back({line, {1}, nullptr});
    };
    return {[=](draw_atom, std::int64_t count) -> drawn_batch_ptr {
              auto lines = std::make_shared<std::vector<slipstream::drawn>>();
              for (std::int64_t i = 0; i < count; ++i) add(*lines, (*drawn)++);
              return lines;
            },
            [=](draw_atom, const ids_ptr &ids) -> drawn_batch_ptr {
              auto lines = std::make_shared<std::vector<slipstream::drawn>>();
              for (const auto id : *ids) add(*lines, id);
              return lines;
            }};
  });
}

using work_log = std::shared_ptr<std::vector<work_ptr>>;

work_sink make_work_log(virtual_time &world, const work_log &log) {
  return world.spawn<work_sink>([log](work_sink::pointer) -> work_sink::behavior_type {
    return {[log](const work_ptr &prompt) { log->push_back(prompt); }};
  });
}

std::vector<std::uint64_t> ids(const work_log &log) {
  std::vector<std::uint64_t> result;
  for (const auto &prompt : *log) result.push_back(prompt->source->id);
  return result;
}

ids_ptr list(std::vector<std::uint64_t> ids) {
  return std::make_shared<const std::vector<std::uint64_t>>(std::move(ids));
}

sample_group_ptr group_of(std::uint64_t id, std::int64_t rollouts, std::string drop_reason = "") {
  auto result = std::make_shared<sample_group>();
  result->id = id;
  result->rollouts = rollouts;
  if (drop_reason.empty()) result->samples.resize(static_cast<std::size_t>(rollouts));
  result->drop_reason = std::move(drop_reason);
  return result;
}

using id_list = std::vector<std::uint64_t>;

struct ledger_world {
  explicit ledger_world(std::int64_t batch, std::int64_t lead, bool version_follows = true)
      : books(world.own(spawn_ledger(world.system(),
                                     ledger_machine(ledger(admission(batch, lead), 1, 100), version_follows),
                                     test::make_services(world)))) {
    caf::anon_send(books, subscribe_atom::value, make_loader(world, drawn), sample_sink());
  }
  void credit(const work_sink &sampler, std::int64_t prompts, std::int64_t version) {
    caf::anon_send(books, credit_atom::value, sampler, prompts, version);
    world.settle();
  }
  void train(const id_list &batch, std::int64_t version) {
    for (const auto id : batch) {
      caf::anon_send(books, finished_atom::value, id);
      caf::anon_send(books, buffered_atom::value, std::string(), id);
    }
    caf::anon_send(books, trained_atom::value, std::string(), list(batch), version);
    world.settle();
  }
  ledger_totals totals() {
    const auto answer = test::request<ledger_totals_ptr>(world, books, totals_atom::value);
    world.settle();
    return **answer->reply;
  }

  virtual_time world;
  std::shared_ptr<std::uint64_t> drawn = std::make_shared<std::uint64_t>(0);
  ledger_actor books;
  work_log first_log = std::make_shared<std::vector<work_ptr>>(),
           second_log = std::make_shared<std::vector<work_ptr>>();
  work_sink first = make_work_log(world, first_log), second = make_work_log(world, second_log);
};

}  // namespace

TEST_CASE("the ledger hands prompts only to samplers that have room and hold the weights they need") {
  ledger_world run(2, 1);
  run.credit(run.first, 1, 0);
  CHECK(*run.drawn == 4);  // batch x (lead + 1): the rule, not the loader, is the limit
  CHECK(ids(run.first_log) == id_list{0});
  run.credit(run.second, 10, 0);
  CHECK(ids(run.second_log) == id_list{1, 2, 3});
  CHECK(*run.drawn == 4);

  run.train({0, 1}, 1);
  CHECK(*run.drawn == 4);  // the learner's version does not count while no sampler holds it
  run.credit(run.second, 0, 1);
  CHECK(*run.drawn == 6);
  CHECK(ids(run.second_log) == id_list{1, 2, 3, 4, 5});
  CHECK(run.second_log->back()->min_version == 1);

  run.train({2, 3}, 2);
  run.credit(run.first, 20, 0);  // more room than anybody, but old weights
  CHECK(ids(run.first_log) == id_list{0});
  run.credit(run.second, 0, 2);
  CHECK(ids(run.second_log) == id_list{1, 2, 3, 4, 5, 6, 7});
  run.train({4, 5}, 3);
  run.credit(run.first, 0, 3);
  CHECK(ids(run.first_log) == id_list{0, 8, 9});
  const auto totals = run.totals();
  CHECK(totals.drawn == 10);
  CHECK(totals.trained == 6);
  CHECK(totals.running == 4);
}

TEST_CASE("a prompt that needs newer weights waits for them though a sampler has room") {
  ledger_world run(1, 0);
  run.credit(run.first, 5, 0);
  run.credit(run.second, 1, 0);
  CHECK(ids(run.first_log) == id_list{0});
  run.train({0}, 1);
  run.credit(run.second, 0, 1);
  CHECK(ids(run.first_log) == id_list{0});
  CHECK(ids(run.second_log) == id_list{1});
  run.train({1}, 2);
  run.credit(run.second, 0, 2);  // draws prompt 2, but has no room left
  CHECK(*run.drawn == 3);
  CHECK(run.totals().waiting == 1);
  CHECK(ids(run.first_log) == id_list{0});
  run.credit(run.first, 0, 2);
  CHECK(ids(run.first_log) == id_list{0, 2});
}

TEST_CASE("where the samplers' model does not move, the learner's version opens the room") {
  ledger_world run(2, 0, false);
  run.credit(run.first, 10, 0);
  CHECK(ids(run.first_log) == id_list{0, 1});
  run.train({0, 1}, 1);
  CHECK(ids(run.first_log) == id_list{0, 1, 2, 3});
}

TEST_CASE("a dropped group makes room for another, and a stopped ledger draws no more") {
  ledger_world run(2, 0);
  run.credit(run.first, 10, 0);
  CHECK(ids(run.first_log) == id_list{0, 1});
  caf::anon_send(run.books, dropped_atom::value, std::string(), std::uint64_t{0}, std::string("tie"));
  run.world.settle();
  CHECK(ids(run.first_log) == id_list{0, 1, 2});
  caf::anon_send(run.books, stop_atom::value);
  run.train({1, 2}, 1);
  run.credit(run.first, 0, 1);
  CHECK(*run.drawn == 3);
  const auto totals = run.totals();
  CHECK(totals.dropped == std::map<std::string, std::int64_t>{{"tie", 1}});
  CHECK(totals.in_flight() == 0);
}

TEST_CASE("a buffer answers a pull with a whole batch only, and tells the ledger of each group") {
  virtual_time world;
  auto drawn = std::make_shared<std::uint64_t>(0);
  const auto services = test::make_services(world);
  const auto books = world.own(
      spawn_ledger(world.system(), ledger_machine(ledger(admission(4, 1), 2, 100), true), services));
  auto log = std::make_shared<std::vector<work_ptr>>();
  const auto buffer = world.own(
      spawn_buffer(world.system(), {{order_buffer(order_rows()[0], {}, 2), "", {}, 2}, books, services}));
  caf::anon_send(books, subscribe_atom::value, caf::actor_cast<draw_sink>(buffer));
  caf::anon_send(books, subscribe_atom::value, make_loader(world, drawn), sample_sink());
  caf::anon_send(books, credit_atom::value, make_work_log(world, log), std::int64_t{10}, std::int64_t{0});
  world.settle();
  REQUIRE(log->size() == 4);
  const auto arrive = [&](std::uint64_t id, const std::string &reason = "") {
    caf::anon_send(books, finished_atom::value, id);
    caf::anon_send(buffer, group_of(id, 2, reason));
    world.settle();
  };
  arrive(2);
  const auto first =
      test::request<batch_ptr>(world, buffer, pull_atom::value, std::string(), std::int64_t{0});
  arrive(1, "tie");
  CHECK_FALSE(first->reply);
  arrive(0);
  REQUIRE(first->reply);
  CHECK((**first->reply)[0]->id == 0);
  CHECK((**first->reply)[1]->id == 2);
  const auto totals = test::request<ledger_totals_ptr>(world, books, totals_atom::value);
  const auto second =
      test::request<batch_ptr>(world, buffer, pull_atom::value, std::string(), std::int64_t{1});
  world.pass(60s);
  CHECK_FALSE(second->reply);
  CHECK((*totals->reply)->buffered == 4);
  CHECK((*totals->reply)->dropped.at("tie") == 2);
  const auto third =
      test::request<batch_ptr>(world, buffer, pull_atom::value, std::string(), std::int64_t{1});
  world.settle();
  CHECK(third->error);  // one learner a buffer
}

TEST_CASE("a join waits for all its figures, in whatever order they come") {
  std::vector<int> order{0, 1, 2, 3};
  do {
    INFO(order[0] << order[1] << order[2] << order[3]);
    virtual_time world;
    auto made = std::make_shared<std::vector<sample_group_ptr>>();
    join_setup setup;
    setup.scorers = {"exact", "style"};
    setup.reference = true;
    setup.rewards = [](const joined_group &) { return std::vector<double>{0}; };
    setup.finish = [](const joined_group &joined) {
      sample_group result;
      result.id = joined.group->source->id;
      result.rollouts =
          static_cast<std::int64_t>(joined.scores.at("exact")[0] + joined.scores.at("style")[0]);
      result.drop_reason = std::to_string(joined.reference.size());
      return result;
    };
    setup.sink = world.spawn<sample_sink>([made](sample_sink::pointer) -> sample_sink::behavior_type {
      return {[made](const sample_group_ptr &group) { made->push_back(group); }};
    });
    const auto join = world.own(spawn_join(world.system(), setup));
    const auto make_group = [](std::uint64_t id) {
      auto group = std::make_shared<rollout_group>();
      auto line = std::make_shared<example>();
      line->id = id;
      group->source = line;
      group->rollouts.resize(1);
      group->rollouts[0].tokens = {1};
      return group_ptr(group);
    };
    const auto group = make_group(5), other = make_group(6);
    const auto send = [&](const group_ptr &to, int which) {
      if (which == 0) caf::anon_send(join, to);
      if (which == 1)
        caf::anon_send(join,
                       group_scores_ptr(std::make_shared<group_scores>(group_scores{to, "exact", {3}})));
      if (which == 2)
        caf::anon_send(join,
                       group_scores_ptr(std::make_shared<group_scores>(group_scores{to, "style", {4}})));
      if (which == 3)
        caf::anon_send(
            join, group_logprobs_ptr(std::make_shared<group_logprobs>(group_logprobs{to, "m", {{0.5F}}})));
      world.settle();
    };
    send(other, 1);
    for (int i = 0; i < 4; ++i) {
      // the group itself is known from its figures
      const bool whole = std::count(order.begin(), order.begin() + i, 0) + 3 <= i;
      CHECK(made->size() == (whole ? 1U : 0U));
      if (whole) break;
      send(group, order[static_cast<std::size_t>(i)]);
    }
    REQUIRE(made->size() == 1);
    CHECK(made->front()->id == 5);
    CHECK(made->front()->rollouts == 7);
    CHECK(made->front()->drop_reason == "1");
    send(other, 3);
    CHECK(made->size() == 1);
    send(other, 2);
    CHECK(made->size() == 2);
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_CASE("every follower gets the newest weights, late ones too") {
  virtual_time world;
  const auto make_follower = [&](const std::shared_ptr<std::vector<std::int64_t>> &held) {
    return world.spawn<weights_sink>([held](weights_sink::pointer) -> weights_sink::behavior_type {
      return {[held](const snapshot_ptr &published) { held->push_back(published->version); }};
    });
  };
  const auto publish = [](std::int64_t version) {
    return snapshot_ptr(std::make_shared<snapshot>(snapshot{version, nullptr}));
  };
  auto early = std::make_shared<std::vector<std::int64_t>>(),
       late = std::make_shared<std::vector<std::int64_t>>();
  const auto weights = world.own(spawn_weights(world.system(), publish(0)));
  caf::anon_send(weights, subscribe_atom::value, make_follower(early));
  world.settle();
  caf::anon_send(weights, publish(1));
  caf::anon_send(weights, publish(2));
  caf::anon_send(weights, subscribe_atom::value, make_follower(late));
  world.settle();
  CHECK(*early == std::vector<std::int64_t>{0, 1, 2});
  CHECK(*late == std::vector<std::int64_t>{2});
}

TEST_CASE("a recorder that cannot write says so, as its last word") {
  const test::scratch folder;
  virtual_time world;
  auto died = std::make_shared<std::string>();
  const auto recorder =
      spawn_recorder(world.system(), false, {folder / "missing" / "metrics.jsonl", {}, {}, {}});
  world.own(world.system().spawn([=](caf::event_based_actor *self) {
    self->set_down_handler([=](const caf::down_msg &down) { *died = failure_text(down.reason); });
    self->monitor(recorder);
    return caf::behavior{[](int) {}};  // stays to hear of it
  }));
  world.settle();
  CHECK(*died == (folder / "missing/metrics.jsonl").string() +
                     ": error: cannot be opened for writing: No such file or directory");
}

TEST_CASE("the recorder writes metrics and a trace, and adds up the time") {
  const test::scratch folder;
  virtual_time world;
  const auto recorder = world.own(
      spawn_recorder(world.system(), false, {folder / "metrics.jsonl", folder / "trace.json", {}, {}}));
  caf::anon_send(recorder, span{"learner", "train", 0, 1'000'000'000, 10});
  caf::anon_send(recorder, span{"sampler", "decode", 500'000'000, 2'000'000'000, 30});
  caf::anon_send(recorder, span{"heldout", "evaluate", 2'000'000'000, 9'000'000'000, 0});
  caf::anon_send(recorder, update_atom::value, std::string("learner"),
                 json_ptr(std::make_shared<nlohmann::json>(nlohmann::json{{"update", 1}})));
  caf::anon_send(recorder, update_atom::value, std::string("learner"),
                 json_ptr(std::make_shared<nlohmann::json>(nlohmann::json{{"update", 2}})));
  const auto totals = test::request<json_ptr>(world, recorder, flush_atom::value);
  world.settle();
  REQUIRE(totals->reply);
  CHECK((**totals->reply)["busy"] == nlohmann::json{{"learner", 0.5}, {"sampler", 0.75}});
  CHECK((**totals->reply)["tokens_per_second"] == 15.0);
  CHECK(test::read_text(folder / "metrics.jsonl") == "{\"update\":1}\n{\"update\":2}\n");
  const auto trace = nlohmann::json::parse(test::read_text(folder / "trace.json"));
  CHECK(trace.size() == 3);
  CHECK(trace[1]["tid"] == "sampler");
}
