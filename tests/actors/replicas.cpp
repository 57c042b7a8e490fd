// A learner of several ranks in a topology: what `check` refuses, and a run, its resume and its replay.
#include <ATen/ATen.h>

#include <caf/all.hpp>
#include <nlohmann/json.hpp>

#include "actors/kinds/learner_plan.hpp"
#include "models/error.hpp"
#include "runtime/journal/comparison.hpp"
#include "runtime/journal/replay.hpp"
#include "tests/support/run_tiny.hpp"
#include "tests/support/tiny_topology.hpp"

using namespace slipstream;

namespace {

constexpr const char *two = "replicas = 2\n";

test::tiny_topology tiny(const test::scratch &folder, const std::string &name = "tiny") {
  test::tiny_topology made{.folder = folder.path().string(), .name = name, .updates = 12};
  made.run_keys = "threads = 4\ncheckpoint_every = 3\n";
  return made;
}

weights_sink::behavior_type kill_at_fifth(weights_sink::pointer, const caf::strong_actor_ptr &victim) {
  return {[=](const snapshot_ptr &published) {
    if (victim && published->version >= 5)
      caf::anon_send_exit(caf::actor_cast<caf::actor>(victim), caf::exit_reason::kill);
  }};
}

/// Ends `victim` once the fifth version is out; nobody, where it is empty.
actor_kind assassin_kind(const std::string &victim) {
  actor_kind kind;
  kind.name = "assassin";
  kind.read = [victim](actor_config &config) {
    config.settings().finish();
    node_plan plan;
    plan.spawn = [victim, name = config.name](spawn_context &context) {
      caf::strong_actor_ptr found;
      for (const auto &[owned, actor] : context.owned)
        if (owned == victim) found = actor;
      const weights_sink self = context.system.spawn(kill_at_fifth, found);
      caf::anon_send(context.weights_of("policy"), subscribe_atom::value, self);
      return context.own(name, self);
    };
    return plan;
  };
  return kind;
}

nlohmann::json run_killing(const std::string &text, const std::string &victim) {
  registry kinds;
  register_builtin(kinds);
  kinds.add(assassin_kind(victim));
  preflight plan(make_topology(parse_document(text, "tiny.toml"), "tiny.toml"), kinds);
  plan.verify();
  caf::actor_system_config config;
  configure(config);
  caf::actor_system system{config};
  run_options options;
  options.resume = true;
  return run_topology(system, plan, options);
}

/// Replays a run's journal with as many ranks as it had, and compares every version and checkpoint.
nlohmann::json replayed(const std::filesystem::path &folder) {
  const run_paths paths(folder);
  registry kinds;
  register_builtin(kinds);
  kinds.add(assassin_kind(""));
  preflight plan(read_topology(paths.topology), kinds);
  trainer core(learner_options(plan), *plan.models().load("policy"));
  replay_comparison compared(paths.metrics, paths.checkpoints, "learner", true);
  replay_listeners listeners;
  listeners.read = [&](const journal_record &record) { compared.read(record); };
  listeners.made = [&](const trained_version &made) { compared.made(made, core); };
  CHECK_FALSE(replay_journal(paths.journal, core, 0, listeners));
  return compared.result();
}

/// Nodes to be named by a learner's ranks.
std::string nodes(const std::string &keys_of_a = "") {
  return "[nodes.a]\n" + keys_of_a + "[nodes.b]\n";
}

/// Before anything is looked at but the text.
void refused_at_once(const std::string &text, const std::string &why) {
  registry kinds;
  register_builtin(kinds);
  CHECK_THROWS_WITH(preflight(make_topology(parse_document(text, "tiny.toml"), "tiny.toml"), kinds),
                    test::Contains(why) && test::Contains("tiny.toml:"));
}

void refused(const std::string &text, const std::string &why) {
  registry kinds;
  register_builtin(kinds);
  preflight plan(make_topology(parse_document(text, "tiny.toml"), "tiny.toml"), kinds);
  CHECK_THROWS_WITH(plan.verify(), test::Contains(why));
}

}  // namespace

TEST_CASE("check refuses replicas without work, cores or company, and names place and mend") {
  const test::scratch folder;
  test::write_tiny_data(folder.path());
  const auto graph = tiny(folder);
  refused(graph.grpo() + "replicas = 3\n",
          "replicas = 3 leaves some of them without work: an optimizer step has 2 groups");
  refused(graph.grpo() + "mini_batches = 2\n" + two, "an optimizer step has 1 groups");
  refused(graph.sft() + "replicas = 5\n", "compute at one moment, and the run has 4 cores");
  refused(graph.sft() + "threads = 3\n" + two, "replicas = 2 with threads = 3");
  refused(graph.sft() + "zero = 1\n", "zero = 1 shares the optimizer's state among the replicas");
  refused(graph.sft() + "zero = 3\n",
          "zero = 3 shares the model and its optimizer's state among the replicas");
  refused(graph.sft() + "zero = 2\n" + two, "write 3, which shares both, or 1");
}

TEST_CASE("check refuses ranks on nodes that cannot be there, and names place and mend") {
  const test::scratch folder;
  test::write_tiny_data(folder.path());
  const auto graph = tiny(folder).sft();
  refused(graph + two + "node = [\"a\", \"b\"]\n" + nodes(),
          "begin the list with \"\", as in node = [\"\", \"a\"]");
  refused(graph + "node = [\"\"]\n" + nodes(), "write replicas = 2 or more, or leave node out");
  refused_at_once(graph + two + "node = [\"\", \"a\", \"b\"]\n" + nodes(), "set replicas = 3");
  refused_at_once(graph + two + "node = [\"\", \"c\"]\n" + nodes(), "node = \"c\" is no node of the file");
  refused(graph + "replicas = 3\nnode = [\"\", \"a\", \"a\"]\n" + nodes("threads = 1\n"),
          "[nodes.a] threads = 1 are too few for 2 ranks of [actors.learner] with threads = 1");
  refused(graph + "threads = 3\n" + "replicas = 3\nnode = [\"\", \"\", \"a\"]\n" + nodes(),
          "and the run has 4 cores for the 2 that are not on nodes");
}

TEST_CASE("a run of two ranks learns what a run of one does, and the same bits each time") {
  const test::scratch folder;
  test::write_tiny_data(folder.path());
  const auto alone = test::run_tiny(tiny(folder, "alone").sft());
  const auto shared = test::run_tiny(tiny(folder, "shared").sft() + two);
  const auto again = test::run_tiny(tiny(folder, "again").sft() + two);
  const auto sharded = test::run_tiny(tiny(folder, "sharded").sft() + two + "zero = 1\n");
  CHECK((alone.weights - shared.weights).abs().max().item<double>() < 1e-6);
  CHECK(at::equal(again.weights, shared.weights));
  CHECK(at::equal(sharded.weights, shared.weights));
  const auto wanted = test::lines(alone.metrics), got = test::lines(shared.metrics);
  REQUIRE(got.size() == wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    CHECK(got[i]["loss"].get<double>() == Approx(wanted[i]["loss"].get<double>()).epsilon(1e-6));
    CHECK(got[i]["tokens"] == wanted[i]["tokens"]);
  }
}

TEST_CASE("a run of two ranks that was broken off goes on, and its replay reproduces it to the bit") {
  for (const bool sharded : {false, true}) {
    const test::scratch folder;
    test::write_tiny_data(folder.path());
    const auto text = tiny(folder).grpo() + two + (sharded ? "zero = 1\n" : "") +
                      "[actors.assassin]\nkind = \"assassin\"\n";
    CHECK(run_killing(text, "near").at("status") == "failed");
    CHECK(run_killing(text, "").at("status") == "finished");
    const auto report = replayed(folder.path() / "runs" / "tiny");
    CHECK(report["equal"] == true);
    CHECK(report["fingerprints_compared"] >= 12);
    CHECK(report["checkpoints_compared"] >= 3);  // 3, 6, 9 and the last
  }
}
