#include "actors/buffer.hpp"
#include "actors/ledger.hpp"
#include "actors/stall.hpp"
#include "actors/supervisor.hpp"
#include "tests/support/test.hpp"
#include "tests/support/virtual_time.hpp"

using namespace slipstream;
using namespace std::chrono_literals;
using Catch::Matchers::StartsWith;
using slipstream::test::virtual_time;
using test::Contains;

namespace {

/// A run of a real supervisor, ledger, buffer and recorder around actors that a test makes up.
struct small_run {
  virtual_time world;
  run_services services = test::make_services(world);
  ledger_actor books = world.own(
      spawn_ledger(world.system(), ledger_machine(ledger(admission(2, 0), 1, 100), true), services));
  buffer_actor buffer =
      world.own(spawn_buffer(world.system(), {{order_buffer(order_rows()[0], {}, 2)}, books, services}));
  std::shared_ptr<supervised_run> parts = std::make_shared<supervised_run>();
  std::shared_ptr<test::answer<json_ptr>> ended;

  /// A learner that pulls a batch which never comes, and stops when it is told to.
  learner_actor make_learner() {
    return world.spawn<learner_actor>([=, asks = services, from = buffer](learner_actor::pointer self) {
      fail_with_text(self);
      ask<batch_ptr>(
          self, asks, from, {"learner", "a batch", "buffer"}, [](const batch_ptr &) {}, pull_atom::value,
          std::string(), std::int64_t{0});
      return learner_actor::behavior_type{
          [](step_atom) { throw input_error("t.toml:1:2: error: the learner's own words"); },
          [=](stop_atom) {
            const json_ptr report = std::make_shared<const nlohmann::json>(nlohmann::json{{"updates", 3}});
            self->send(asks.supervisor, report_atom::value, "learner", report);
            self->send(asks.supervisor, done_atom::value, "learner");
          },
          [](const snapshot_ptr &) {}, [](subscribe_atom, const loader_actor &) {}};
    });
  }

  void begin(std::int64_t stall_seconds, std::chrono::milliseconds deadline) {
    services.deadline = deadline;
    parts->learner = make_learner();
    parts->learner_name = "learner";
    parts->ledger = books;
    parts->services = services;
    parts->stall_seconds = stall_seconds;
    const auto put = [this](const char *name, const auto &actor) {
      parts->actors.emplace_back(name, caf::actor_cast<caf::strong_actor_ptr>(actor));
    };
    put("recorder", services.recorder);
    put("ledger", books);
    put("buffer", buffer);
    put("learner", parts->learner);
    caf::anon_send(services.supervisor, supervised_run_ptr(parts));
    ended = test::request<json_ptr>(world, services.supervisor, wait_atom::value);
    world.settle();
  }

  const nlohmann::json &result() {
    world.settle();
    REQUIRE(ended->reply);
    return **ended->reply;
  }
};

template <class Problem>
loader_actor failing_loader(small_run &run, const Problem &problem) {
  return run.world.spawn<loader_actor>([problem](loader_actor::pointer self) {
    fail_with_text(self);
    return loader_actor::behavior_type{
        [problem](draw_atom, std::int64_t) -> drawn_batch_ptr { throw problem; },
        [problem](draw_atom, const ids_ptr &) -> drawn_batch_ptr { throw problem; }};
  });
}

}  // namespace

TEST_CASE("the watchdog ends a run in which nothing moves and says who waits for whom") {
  small_run run;
  run.begin(10, 1h);
  run.world.pass(9s);
  CHECK_FALSE(run.ended->reply);
  caf::anon_send(run.services.supervisor, progress_atom::value);
  run.world.pass(9s);
  CHECK_FALSE(run.ended->reply);  // it moved once in between
  run.world.pass(2s);
  CHECK(run.result()["status"] == "failed");
  CHECK(run.result()["exit_code"] == 1);
  CHECK(run.result()["error"] == "nothing has moved for 10 s; learner waits 19.0 s for a batch from buffer");
  CHECK(run.result()["ledger"]["drawn"] == 0);
  CHECK(run.result()["record"]["seconds"] == 0);
}

TEST_CASE("parts of a run may be done, or stop it, before the supervisor knows of what it consists") {
  small_run done, stopped, lost;
  caf::anon_send(done.services.supervisor, done_atom::value, std::string("learner"));
  done.world.settle();
  done.begin(10, 1h);
  CHECK(done.result()["status"] == "finished");
  caf::anon_send(stopped.services.supervisor, stop_atom::value);
  stopped.world.settle();
  stopped.begin(10, 1h);
  CHECK(stopped.result()["status"] == "stopped");
  CHECK(stopped.result()["exit_code"] == 130);
  caf::anon_send(lost.services.supervisor, stop_atom::value, std::string("the folder is gone"));
  lost.world.settle();
  lost.begin(10, 1h);
  CHECK(lost.result()["error"] == "the folder is gone");
}

TEST_CASE("nodes are started again before a run in which nothing moves is ended") {
  small_run run;
  auto told = std::make_shared<std::vector<std::string>>();
  const caf::actor nodes = run.world.system().spawn([told](caf::event_based_actor *) -> caf::behavior {
    return {[told](stalled_atom, const std::string &text) { told->push_back(text); }};
  });
  run.parts->nodes = nodes;
  run.begin(10, 1h);
  run.world.pass(11s);
  CHECK_FALSE(run.ended->reply);
  REQUIRE(told->size() == 1);
  CHECK_THAT(told->front(), Contains("nothing has moved for 10 s; learner waits 10.0 s for a batch"));
  caf::anon_send(run.services.supervisor, progress_atom::value);  // it has helped
  run.world.pass(11s);
  CHECK_FALSE(run.ended->reply);
  CHECK(told->size() == 2);
  run.world.pass(11s);  // it has not
  CHECK(run.result()["status"] == "failed");
  CHECK(told->size() == 2);
  caf::anon_send_exit(nodes, caf::exit_reason::kill);
}

TEST_CASE("a request that is never answered ends the run in plain words") {
  small_run run;
  run.begin(3600, 20s);
  run.world.pass(19s);
  CHECK_FALSE(run.ended->reply);
  run.world.pass(2s);
  CHECK(run.result()["status"] == "failed");
  CHECK(run.result()["exit_code"] == 1);
  CHECK(run.result()["error"] == "learner died: learner asked buffer for a batch: no answer in time");
}

TEST_CASE("an actor that throws ends the run with its text") {
  small_run run;
  run.begin(3600, 1h);
  // a group that was never drawn: the ledger's books refuse it
  caf::anon_send(run.books, finished_atom::value, std::uint64_t{7});
  CHECK(run.result()["error"] == "ledger died: ledger: prompt 7 is not in flight and cannot become finished");
  CHECK(run.result()["exit_code"] == 1);
  CHECK_FALSE(run.result().contains("ledger"));  // its books died with it
  CHECK(run.result()["record"]["seconds"] == 0);
}

TEST_CASE("bad input found by an actor is the user's to mend: exit code 2") {
  small_run run;
  run.begin(3600, 1h);
  caf::anon_send(run.parts->learner, step_atom::value);
  CHECK_THAT(run.result()["error"], Contains("t.toml:1:2: error: the learner's own words"));
  CHECK(run.result()["exit_code"] == 2);
}

TEST_CASE("the cause is told, not the request that it broke") {
  small_run run;
  run.begin(3600, 1h);
  auto group = std::make_shared<sample_group>();
  group->samples.resize(1);
  group->rollouts = 1;
  caf::anon_send(run.buffer, sample_group_ptr(group));
  caf::anon_send(run.buffer, sample_group_ptr(group));
  CHECK_THAT(run.result()["error"], Contains("group 0 arrived without having been drawn"));
}

TEST_CASE("a request that breaks is told as the death that broke it, whichever is heard of first") {
  small_run run;
  const auto loader = failing_loader(run, input_error("d.jsonl:3: error: a bad line"));
  run.parts->actors.emplace_back("prompts", caf::actor_cast<caf::strong_actor_ptr>(loader));
  run.begin(3600, 1h);
  caf::anon_send(run.books, subscribe_atom::value, loader, sample_sink());
  run.world.pass(1s);
  CHECK(run.result()["error"] == "prompts died: d.jsonl:3: error: a bad line");
  CHECK(run.result()["exit_code"] == 2);
}

TEST_CASE("a broken request without a known cause is told by itself") {
  small_run run;
  const auto loader = failing_loader(run, run_error("nobody watches this one"));
  run.begin(3600, 1h);
  caf::anon_send(run.books, subscribe_atom::value, loader, sample_sink());
  run.world.settle();
  CHECK_FALSE(run.ended->reply);  // the cause may come yet
  run.world.pass(1s);
  CHECK_THAT(run.result()["error"], StartsWith("ledger died: ledger asked loader for prompts: "));
  CHECK(run.result()["exit_code"] == 1);
}

TEST_CASE("an actor that is killed is named in plain words") {
  small_run run;
  run.begin(3600, 1h);
  caf::anon_send_exit(run.buffer, caf::exit_reason::kill);
  CHECK(run.result()["error"] == "buffer died: it was ended from outside");
  CHECK(run.result()["exit_code"] == 1);
}

TEST_CASE("a run that is told to stop ends as stopped, with its reports and its books") {
  small_run run;
  run.parts->expected = {"heldout"};  // nobody waits for an evaluation any more
  run.begin(3600, 1h);
  caf::anon_send(run.services.supervisor, stop_atom::value);
  CHECK(run.result()["status"] == "stopped");
  CHECK(run.result()["exit_code"] == 130);
  CHECK(run.result()["reports"]["learner"]["updates"] == 3);
  CHECK(run.result()["ledger"] == nlohmann::json{{"drawn", 0},
                                                 {"trained", 0},
                                                 {"dropped", nlohmann::json::object()},
                                                 {"in_flight", 0},
                                                 {"reissued", 0}});
  CHECK_FALSE(run.result().contains("error"));
  const auto late = test::request<json_ptr>(run.world, run.services.supervisor, wait_atom::value);
  run.world.settle();
  CHECK(**late->reply == run.result());
}

TEST_CASE("a run that is told to stop when only its evaluation is left ends at once") {
  small_run run;
  run.parts->expected = {"heldout"};
  run.begin(3600, 1h);
  caf::anon_send(run.services.supervisor, done_atom::value, std::string("learner"));
  caf::anon_send(run.services.supervisor, stop_atom::value);
  CHECK(run.result()["status"] == "stopped");
  CHECK(run.result()["exit_code"] == 130);
}

TEST_CASE("a run ends only when all that is expected is done") {
  small_run run;
  run.parts->expected = {"heldout"};
  run.begin(3600, 1h);
  caf::anon_send(run.services.supervisor, done_atom::value, std::string("learner"));
  run.world.pass(2s);
  CHECK_FALSE(run.ended->reply);
  caf::anon_send(run.services.supervisor, done_atom::value, std::string("heldout"));
  CHECK(run.result()["status"] == "finished");
  CHECK(run.result()["exit_code"] == 0);
}
