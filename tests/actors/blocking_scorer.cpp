#include <caf/all.hpp>

#include <atomic>
#include <chrono>
#include <future>
#include <nlohmann/json.hpp>

#include "actors/context.hpp"
#include "actors/run.hpp"
#include "actors/scorer.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"
#include "tests/support/tiny_topology.hpp"

using namespace slipstream;
using namespace std::chrono_literals;

namespace {

/// A user-defined rule that blocks until the test releases it.
struct stuck_rule {
  std::promise<void> let_go{};
  std::shared_future<void> gone = let_go.get_future().share();
  std::atomic<bool> entered{false};

  actor_kind kind() {
    actor_kind made;
    made.name = "test.stuck";
    made.ports.accepts = ports<rollout_sink>();
    made.ports.gives = port_name<score_sink>::value;
    made.read = [this](actor_config &config) {
      node_plan plan;
      plan.spawn = [this, name = config.name](spawn_context &context) {
        const auto rule = [this](const rollout_group &group) {
          entered = true;
          gone.wait();
          return std::vector<double>(group.rollouts.size(), 0.5);
        };
        return context.own(name, spawn_text_scorer(context.system, context.detached, name, rule,
                                                   context.sinks<score_sink>(name), context.services.waits));
      };
      return plan;
    };
    return made;
  }
};

}  // namespace

TEST_CASE("a scorer that blocks keeps neither the watchdog nor a stop from their work") {
  const auto [stall_after, stops, expected] =
      GENERATE(table<std::string, bool, std::string>({{"600", true, "stopped"}, {"1", false, "failed"}}));
  const test::scratch folder;
  test::write_tiny_data(folder.path());
  auto text =
      test::tiny_topology{.folder = folder.path().string(), .run_keys = "stall_after = " + stall_after + "\n"}
          .grpo();
  const std::string scorer = "scorer.edit_similarity";
  text.replace(text.find(scorer), scorer.size(), "test.stuck");

  stuck_rule stuck;
  registry kinds;
  register_builtin(kinds);
  kinds.add(stuck.kind());
  preflight plan(make_topology(parse_document(text, "tiny.toml"), "tiny.toml"), kinds);
  plan.verify();
  caf::actor_system_config config;
  configure(config);
  config.set("scheduler.max-threads", std::size_t{1});  // one blocking actor on it would block all others
  caf::actor_system system(config);
  run_options options;
  if (stops) options.interrupted = [&] { return stuck.entered.load(); };
  auto run = std::async(std::launch::async, [&] { return run_topology(system, plan, options); });
  const bool ended = run.wait_for(1min) == std::future_status::ready;  // the rule is still stuck
  stuck.let_go.set_value();
  REQUIRE(ended);
  const auto summary = run.get();
  INFO(summary.dump());
  CHECK(stuck.entered);
  CHECK(summary["status"] == expected);
  if (!stops)
    CHECK_THAT(summary["error"].get<std::string>(), test::Contains("nothing has moved") &&
                                                        test::Contains("near waits") &&
                                                        test::Contains("scores of prompt"));
}
