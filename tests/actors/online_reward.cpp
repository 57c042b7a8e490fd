#include <ATen/core/Tensor.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "actors/run.hpp"
#include "models/files/checkpoint.hpp"
#include "runtime/journal/history.hpp"
#include "tests/support/delay.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"
#include "tests/support/tiny_topology.hpp"

using namespace slipstream;

namespace {

/// A reward model that learns from rated answers while the policy learns from it.
std::string online(const std::string &folder, const std::string &name, std::int64_t staleness) {
  test::tiny_topology tiny{.folder = folder, .name = name, .updates = 12, .max_staleness = staleness};
  auto text = tiny.grpo();
  const auto swap = [&](const std::string &from, const std::string &to) {
    text.replace(text.find(from), from.size(), to);
  };
  swap("takes = \"sampler\"\n[actors.advantage]",
       "takes = \"delay\"\n[actors.delay]\nkind = \"test.delay\"\ntakes = \"sampler\"\n[actors.advantage]");
  swap("kind = \"advantage.grpo\"\ntakes = \"near\"", "kind = \"advantage.grpo\"\ntakes = \"judge\"");
  return text +
         "[models.reward]\narchitecture = \"llama\"\nalphabet = \"0123456789=\"\nhidden_size = 16\n"
         "intermediate_size = 24\nlayers = 1\nheads = 2\nmax_positions = 24\nhead = \"score\"\n"
         "[actors.judge]\nkind = \"scorer.reward_model\"\ntakes = \"sampler\"\nmodel = \"reward\"\n"
         "[actors.pairs]\nkind = \"pairs\"\ntakes = \"near\"\n"
         "[actors.teacher]\nkind = \"learner\"\ntakes = \"pairs\"\nmodel = \"reward\"\nloss = "
         "\"reward_pairs\"\n"
         "learning_rate = 1e-2\n"
         "[actors.heldout]\nkind = \"evaluator.pairs\"\ntakes = \"teacher\"\nmodel = \"policy\"\nsamples = "
         "4\n"
         "max_new_tokens = 5\ndataset = \"" +
         folder + "/prompts.jsonl\"\n";
}

}  // namespace

TEST_CASE("a reward model learns while the policy does, at a pace of its own, within its bound") {
  const test::scratch folder;
  test::write_tiny_data(folder.path());
  for (const std::int64_t staleness : {0, 2}) {
    INFO("staleness " << staleness);
    const auto name = "online-" + std::to_string(staleness);
    preflight plan(
        make_topology(parse_document(online(folder.path().string(), name, staleness), "t.toml"), "t.toml"),
        test::delaying_kinds());
    plan.verify();
    CHECK(plan.learner().name == "learner");
    CHECK_FALSE(plan.in_step(*plan.learners()[1]));
    caf::actor_system_config config;
    configure(config);
    caf::actor_system system{config};
    const auto summary = run_topology(system, plan, {});
    CHECK(summary.value("error", "") == "");
    CHECK(summary["updates"] == 12);
    CHECK(summary["staleness_max"] <= staleness);
    const auto &reward = summary["learners"]["teacher"];
    CHECK(reward["updates"] >= 1);
    CHECK(reward["updates"] <= 12);
    CHECK(summary["eval"].contains("accuracy_pairs"));
    const auto &age = summary["model_staleness"]["reward"];
    CHECK(age["bound"] == 2 * staleness + 2);
    CHECK(age["max"] >= 0);
    CHECK(age["max"] <= age["bound"]);
    const auto run = folder.path() / "runs" / name;
    CHECK(load_checkpoint(run / "checkpoints" / "teacher" / "last", 1).spec.labels == 1);
    CHECK(summary["ledger"]["trained"] == 12 * 8);
    CHECK(summary["ledger"]["in_flight"] == 0);
    // ties leave the reward model's path only
    const auto history = read_history(run / "journal");
    CHECK(history.fault == "");
    CHECK(history.closed);
    CHECK(history.paths.at("advantage").dropped.empty());
    CHECK(history.totals().dropped_total() == 0);
    const auto told = reward["updates"].get<std::int64_t>();
    CHECK(history.learner("teacher").consumed == told);
    for (const auto &[id, by] : history.learner("teacher").made) CHECK(by <= told);
  }
}
