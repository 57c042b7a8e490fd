#include <ATen/core/Tensor.h>

#include "actors/context.hpp"
#include "actors/run.hpp"
#include "models/error.hpp"
#include "models/files/checkpoint.hpp"
#include "tests/support/run_tiny.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"
#include "tests/support/tiny_topology.hpp"
#include "tests/support/virtual_time.hpp"

using namespace slipstream;
using namespace std::chrono_literals;

using test::lines;
using test::run_tiny;

TEST_CASE("a whole fine-tuning run finishes under virtual time, the same twice") {
  const test::scratch one, two;
  test::write_tiny_data(one.path());
  test::write_tiny_data(two.path());
  const auto first = run_tiny(test::tiny_topology{.folder = one.path().string()}.sft());
  const auto second = run_tiny(test::tiny_topology{.folder = two.path().string()}.sft());
  CHECK(first.metrics == second.metrics);
  CHECK(first.weights.equal(second.weights));
  CHECK(first.result == second.result);
  const auto updates = lines(first.metrics);
  REQUIRE(updates.size() == 4);
  CHECK(updates.back()["loss"] < updates.front()["loss"]);
  CHECK(first.result["ledger"]["trained"] == 32);
}

TEST_CASE("a whole asynchronous RL run finishes under virtual time, the same twice") {
  const test::scratch one, two;
  test::write_tiny_data(one.path());
  test::write_tiny_data(two.path());
  const auto first = run_tiny(test::tiny_topology{.folder = one.path().string(), .max_staleness = 2}.grpo());
  const auto second = run_tiny(test::tiny_topology{.folder = two.path().string(), .max_staleness = 2}.grpo());
  CHECK(first.metrics == second.metrics);
  CHECK(first.weights.equal(second.weights));
  CHECK(first.result == second.result);
  const auto updates = lines(first.metrics);
  REQUIRE(updates.size() == 4);
  std::int64_t oldest = 0;
  for (const auto &update : updates) oldest = std::max(oldest, update["staleness_max"].get<std::int64_t>());
  CHECK(oldest >= 1);  // sampling went on while the learner trained
  CHECK(oldest <= 2);
  const auto &books = first.result["ledger"];
  CHECK(books["trained"] == 32);
  CHECK(books["drawn"] == 32);
  CHECK(books["in_flight"] == 0);
}

TEST_CASE("when an actor cannot be spawned, those before it end") {
  const test::scratch folder;
  test::write_tiny_data(folder.path());
  registry kinds;
  register_builtin(kinds);
  actor_kind broken;
  broken.name = "test.broken";
  broken.ports.accepts = ports<rollout_sink>();
  broken.ports.gives = port_name<score_sink>::value;
  broken.read = [](actor_config &) {
    node_plan plan;
    plan.spawn = [](spawn_context &) -> caf::strong_actor_ptr { throw input_error("no such part"); };
    return plan;
  };
  kinds.add(std::move(broken));
  auto text = test::tiny_topology{.folder = folder.path().string()}.grpo();
  const std::string scorer = "scorer.edit_similarity";
  text.replace(text.find(scorer), scorer.size(), "test.broken");
  preflight plan(make_topology(parse_document(text, "tiny.toml"), "tiny.toml"), kinds);
  plan.verify();
  const run_folder runs(plan.graph().run_folder());
  test::virtual_time world;
  run_options options;
  options.detached = false;
  CHECK_THROWS_WITH(spawn_topology(world.system(), plan, runs.paths(), options), "no such part");
  world.settle();
  CHECK(world.system().registry().running() == 0);
}

TEST_CASE("a run is not the same with another seed") {
  const test::scratch one, two;
  test::write_tiny_data(one.path());
  test::write_tiny_data(two.path());
  const auto first = run_tiny(test::tiny_topology{.folder = one.path().string()}.grpo());
  auto text = test::tiny_topology{.folder = two.path().string()}.grpo();
  text.replace(text.find("seed = 3"), 8, "seed = 4");
  CHECK(first.metrics != run_tiny(text).metrics);
}
