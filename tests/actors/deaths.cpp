#include <ATen/core/Tensor.h>

#include <caf/all.hpp>
#include <nlohmann/json.hpp>

#include "actors/context.hpp"
#include "actors/run.hpp"
#include "runtime/journal/history.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"
#include "tests/support/tiny_topology.hpp"

using namespace slipstream;

namespace {

weights_sink::behavior_type kill_at_third(weights_sink::pointer, const caf::strong_actor_ptr &victim) {
  return {[=](const snapshot_ptr &published) {
    if (victim && published->version >= 3)
      caf::anon_send_exit(caf::actor_cast<caf::actor>(victim), caf::exit_reason::kill);
  }};
}

/// Ends the actor called `victim` once the third version is out; nobody, where it is empty. It stands last in
/// the file, so the others are there when it is spawned.
actor_kind killer_kind(const std::string &victim) {
  actor_kind kind;
  kind.name = "killer";
  kind.read = [victim](actor_config &config) {
    config.settings().finish();
    node_plan plan;
    plan.spawn = [victim, name = config.name](spawn_context &context) {
      caf::strong_actor_ptr found;
      for (const auto &[owned, actor] : context.owned)
        if (owned == victim) found = actor;
      REQUIRE((found || victim.empty()));
      const weights_sink self = context.system.spawn(kill_at_third, found);
      caf::anon_send(context.weights_of("policy"), subscribe_atom::value, self);
      return context.own(name, self);
    };
    return plan;
  };
  return kind;
}

nlohmann::json run_with(const std::string &text, const std::string &victim) {
  registry kinds;
  register_builtin(kinds);
  kinds.add(killer_kind(victim));
  preflight plan(make_topology(parse_document(text, "tiny.toml"), "tiny.toml"), kinds);
  plan.verify();
  caf::actor_system_config config;
  configure(config);
  caf::actor_system system{config};
  run_options options;
  options.resume = true;
  return run_topology(system, plan, options);
}

}  // namespace

TEST_CASE("whoever dies, the run says so, and goes on without a prompt lost or trained on twice") {
  const std::string victim = GENERATE("sampler", "near", "advantage", "buffer", "learner", "weights",
                                      "ledger", "recorder", "journal");
  INFO(victim);
  const test::scratch folder;
  test::write_tiny_data(folder.path());
  const std::int64_t updates = 40, batch = 8;
  const auto text =
      test::tiny_topology{.folder = folder.path().string(), .updates = updates, .batch = batch}.grpo() +
      "[actors.killer]\nkind = \"killer\"\n";
  const auto first = run_with(text, victim);
  CHECK(first.at("status") == "failed");
  CHECK(first.at("exit_code") == 1);
  CHECK_THAT(first.at("error").get<std::string>(), test::Contains(victim + " died"));

  const auto second = run_with(text, "");
  CHECK(second.at("status") == "finished");
  CHECK(second.at("staleness_max") <= second.at("staleness_bound"));
  const auto history = read_history(folder.path() / "runs" / "tiny" / "journal");
  CHECK(history.fault.empty());
  const auto totals = history.totals();
  CHECK(totals.trained == updates * batch);
  CHECK(totals.drawn == totals.trained + totals.dropped_total() + totals.in_flight());
  CHECK(second.at("ledger").at("trained") == totals.trained);
  CHECK(second.at("ledger").at("drawn") == totals.drawn);
}
