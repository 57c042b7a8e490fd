#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <caf/all.hpp>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "actors/computing/replay_gradients.hpp"
#include "actors/context.hpp"
#include "actors/kinds/learner_plan.hpp"
#include "actors/run.hpp"
#include "models/error.hpp"
#include "runtime/journal/comparison.hpp"
#include "runtime/journal/replay.hpp"
#include "runtime/learning/gradient_comparison.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"
#include "tests/support/tiny_topology.hpp"

using namespace slipstream;
using nlohmann::json;

namespace {

registry builtin_kinds() {
  registry kinds;
  register_builtin(kinds);
  return kinds;
}

std::string grpo(const test::scratch &folder, std::int64_t staleness) {
  test::write_tiny_data(folder.path());
  return test::tiny_topology{.folder = folder.path().string(), .updates = 6, .max_staleness = staleness}
      .grpo();
}

json run(const std::string &text, const registry &kinds = builtin_kinds()) {
  preflight plan(make_topology(parse_document(text, "tiny.toml"), "tiny.toml"), kinds);
  plan.verify();
  caf::actor_system_config config;
  configure(config);
  caf::actor_system system{config};
  return run_topology(system, plan, {});
}

/// A run that ended, ready to be replayed.
struct ended_run {
  explicit ended_run(const test::scratch &folder, std::vector<std::string> overrides = {})
      : paths(folder / "runs/tiny"),
        plan(read_topology(paths.topology, overrides), builtin_kinds()),
        core(learner_options(plan), *plan.models().load("policy")) {
    plan.verify();
  }
  void replay(const replay_listeners &listeners) {
    CHECK_FALSE(replay_journal(paths.journal, core, 0, listeners));
  }

  run_paths paths;
  preflight plan;
  trainer core;
};

/// Replays beside the run; before the comparison sees a version, `touch` may change it.
json compare(ended_run &again, bool weights, const std::function<void(const trained_version &)> &touch = {}) {
  replay_comparison compared(again.paths.metrics, again.paths.checkpoints, "learner", weights);
  replay_listeners listeners;
  listeners.read = [&](const journal_record &record) { compared.read(record); };
  listeners.made = [&](const trained_version &made) {
    if (touch) touch(made);
    compared.made(made, again.core);
  };
  again.replay(listeners);
  return compared.result();
}

json study(ended_run &again, std::int64_t every, std::int64_t repeats) {
  gradient_study gradients(again.plan, every, repeats);
  replay_listeners listeners;
  listeners.read = [&](const journal_record &record) { gradients.read(record); };
  listeners.meets = [&](const std::vector<sample_group_ptr> &batch) { gradients.meets(again.core, batch); };
  again.replay(listeners);
  return gradients.result();
}

}  // namespace

TEST_CASE("a replay names the first update and tensor that differ, without a checkpoint there") {
  const test::scratch folder;
  REQUIRE(run(grpo(folder, 1))["status"] == "finished");
  ended_run same(folder);
  const auto report = compare(same, true);
  CHECK(report["equal"] == true);
  CHECK(report["fingerprints_compared"] == 6);
  CHECK(report["checkpoints_compared"] == 1);  // the last one
  CHECK_FALSE(report.contains("first_difference"));
  CHECK_THAT(comparison_table(report["updates_compared"]),
             test::Contains("As in the run at every update: loss,"));

  ended_run other(folder);
  const auto slots = other.core.model().trainable_layout();
  const auto &slot = slots[slots.size() / 2];
  const auto touched = compare(other, true, [&](const trained_version &made) {
    if (made.version != 3) return;
    const at::NoGradGuard no_gradients;
    other.core.model().trainable().narrow(0, slot.offset + slot.count() - 1, 1).mul_(1.0001);
  });
  CHECK(touched["equal"] == false);
  CHECK(touched["first_difference"] == "update 3: " + slot.name);
}

TEST_CASE("what another loss makes of the same rollouts stands beside the run's own figures") {
  const test::scratch folder;
  REQUIRE(run(grpo(folder, 2))["status"] == "finished");
  ended_run other(folder, {"actors.learner.loss=cispo"});
  const auto report = compare(other, false);
  CHECK_FALSE(report.contains("equal"));
  REQUIRE(report["updates_compared"].size() == 6);
  bool loss_differs = false;
  for (const auto &update : report["updates_compared"]) {
    const auto &mine = update["replayed"], &theirs = update["run"];
    CHECK(mine["reward_mean"] == theirs["reward_mean"]);  // the rollouts are the same
    CHECK(mine["staleness_mean"] == theirs["staleness_mean"]);
    loss_differs = loss_differs || mine["loss"] != theirs["loss"];
  }
  CHECK(loss_differs);
  const auto table = comparison_table(report["updates_compared"], 3);
  CHECK_THAT(table, test::Contains("grad_norm"));
  CHECK_THAT(table, test::Contains("As in the run at every update: reward_mean"));
  CHECK(table.find("\n     2 ") == std::string::npos);  // thinned: updates 1, 3, 5 and the last
  CHECK(table.find("\n     6 ") != std::string::npos);
}

TEST_CASE("a batch's gradient against its own rollouts has cosine 1, against fresh ones less") {
  const test::scratch folder;
  REQUIRE(run(grpo(folder, 0))["status"] == "finished");
  ended_run again(folder);
  const fresh_rollouts fresh(again.plan);
  std::map<std::uint64_t, std::int64_t> rows;
  int compared = 0;
  replay_listeners listeners;
  listeners.read = [&](const journal_record &record) {
    if (const auto *drawn = std::get_if<prompt_drawn>(&record.event)) rows[drawn->id] = drawn->row;
  };
  listeners.meets = [&](const std::vector<sample_group_ptr> &batch) {
    const auto own = compare_gradients(again.core, batch, 2, [&](std::int64_t) { return batch; });
    if (own.norm == 0) return;
    ++compared;
    CHECK(own.cosine == Approx(1).margin(1e-12));
    CHECK(own.cosine_fresh == Approx(1).margin(1e-12));
    CHECK(own.fresh_norm == own.norm);
    CHECK(own.fresh_variance == own.variance);
    auto opposite = batch;  // all that was good is bad
    for (auto &group : opposite) {
      auto turned = *group;
      for (auto &each : turned.samples)
        for (auto &advantage : each.advantages) advantage = -advantage;
      group = std::make_shared<const sample_group>(turned);
    }
    CHECK(compare_gradients(again.core, batch, 1, [&](std::int64_t) { return opposite; }).cosine < -0.99);

    const auto weights = std::make_shared<const transformer>(
        again.core.model().with_trainable(again.core.model().trainable().detach().clone()));
    const auto drawn = fresh.draw(batch, rows, weights, again.core.version(), 0);
    REQUIRE(drawn.size() == batch.size());
    bool another_answer = false;
    for (std::size_t i = 0; i < batch.size(); ++i) {
      CHECK(drawn[i]->id == batch[i]->id);
      REQUIRE(drawn[i]->samples.size() == batch[i]->samples.size());
      for (std::size_t k = 0; k < drawn[i]->samples.size(); ++k) {
        const auto &one = drawn[i]->samples[k], &two = batch[i]->samples[k];
        CHECK(one.prompt_length == two.prompt_length);
        another_answer = another_answer || one.tokens != two.tokens;
        for (const auto version : one.versions) CHECK(version == again.core.version());
      }
    }
    CHECK(another_answer);
  };
  again.replay(listeners);
  CHECK(compared > 0);
}

TEST_CASE("the study of gradients is the same twice, leaves the replay as it is, and skips what it should") {
  const test::scratch folder;
  REQUIRE(run(grpo(folder, 2))["status"] == "finished");
  ended_run first(folder), second(folder), alone(folder);
  const auto figures = study(first, 2, 3);
  CHECK(figures == study(second, 2, 3));
  alone.replay({});
  CHECK(at::equal(first.core.model().flat(), alone.core.model().flat()));
  REQUIRE(figures["batches"].size() == 3);
  CHECK(figures["batches"][1]["update"] == 3);
  for (const auto &batch : figures["batches"]) {
    CHECK(batch["cosine"] < 0.999);
    CHECK(batch["cosine_fresh"] < 0.999);
    CHECK(batch["variance"] > 0);
    CHECK(batch["fresh_variance"] > 0);
  }
  CHECK_THAT(gradient_table(figures), test::Contains("cosine_fresh"));
  ended_run more(folder);
  CHECK(study(more, 2, 4)["batches"][0]["fresh_norm"] != figures["batches"][0]["fresh_norm"]);
}

TEST_CASE("gradients of a run that samples nothing of its own are refused with a reason") {
  const test::scratch folder;
  test::write_tiny_data(folder.path());
  REQUIRE(run(test::tiny_topology{.folder = folder.path().string()}.sft())["status"] == "finished");
  ended_run again(folder);
  CHECK_THROWS_WITH(gradient_study(again.plan, 1, 1), test::Contains("leave --gradients out"));
}

TEST_CASE("fresh samples are scored by reward models and references as the run's are") {
  const test::scratch folder;
  auto text = grpo(folder, 1);
  const auto replace = [&](const std::string &part, const std::string &by) {
    REQUIRE(text.find(part) != std::string::npos);
    text.replace(text.find(part), part.size(), by);
  };
  replace("[actors.prompts]",
          "[models.judge]\narchitecture = \"llama\"\nalphabet = \"0123456789=\"\nhidden_size = 16\n"
          "intermediate_size = 24\nlayers = 1\nheads = 2\nmax_positions = 24\nhead = \"score\"\n"
          "initializer_range = 0.5\n[models.first]\ncopy_of = \"policy\"\n[actors.prompts]");
  replace("takes = \"near\"\n",
          "takes = [\"near\", \"judge\", \"reference\"]\nweights = { judge = 2.0 }\n[actors.judge]\n"
          "kind = \"scorer.reward_model\"\ntakes = \"sampler\"\nmodel = \"judge\"\n[actors.reference]\n"
          "kind = \"reference\"\ntakes = \"sampler\"\nmodel = \"first\"\n");
  text += "kl = 0.1\n";
  REQUIRE(run(text).value("error", "") == "");
  ended_run again(folder);
  const fresh_rollouts fresh(again.plan);
  std::map<std::uint64_t, std::int64_t> rows;
  std::size_t seen = 0;
  replay_listeners listeners;
  listeners.read = [&](const journal_record &record) {
    if (const auto *drawn = std::get_if<prompt_drawn>(&record.event)) rows[drawn->id] = drawn->row;
  };
  listeners.meets = [&](const std::vector<sample_group_ptr> &batch) {
    const auto weights = std::make_shared<const transformer>(
        again.core.model().with_trainable(again.core.model().trainable().detach().clone()));
    for (const auto &group : fresh.draw(batch, rows, weights, again.core.version(), 0)) {
      REQUIRE(group->scores.size() == 2);
      for (std::size_t i = 0; i < group->samples.size(); ++i) {
        const auto &each = group->samples[i];
        CHECK(each.score == Approx(group->scores.at("near")[i] + 2 * group->scores.at("judge")[i]));
        REQUIRE(each.reference.size() == each.behaviour.size());
        if (again.core.version() == 0)  // the reference is the policy as it began
          for (std::size_t k = 0; k < each.reference.size(); ++k)
            CHECK(each.reference[k] == Approx(each.behaviour[k]).margin(1e-4));
        ++seen;
      }
    }
  };
  again.replay(listeners);
  CHECK(seen == 6 * 8);
}

TEST_CASE("a scorer that cannot be asked without a run is named") {
  const test::scratch folder;
  auto text = grpo(folder, 1);
  const std::string near = "scorer.edit_similarity";
  text.replace(text.find(near), near.size(), "scorer.person");
  auto kinds = builtin_kinds();
  actor_kind kind = *kinds.find("scorer.edit_similarity");
  kind.name = "scorer.person";
  kind.read = [read = kind.read](actor_config &config) {
    auto plan = read(config);
    plan.offline = nullptr;
    return plan;
  };
  kinds.add(std::move(kind));
  preflight plan(make_topology(parse_document(text, "tiny.toml"), "tiny.toml"), kinds);
  plan.verify();
  CHECK_THROWS_WITH(fresh_rollouts(plan),
                    test::Contains("[actors.near] kind = \"scorer.person\" cannot be asked without a run"));
}

TEST_CASE("another order of consumption: the run's own gives its bits, others what was there by then") {
  const test::scratch folder;
  REQUIRE(run(grpo(folder, 2))["status"] == "finished");
  ended_run own(folder);
  own.replay({});
  for (const auto &row : order_rows()) {
    CAPTURE(row.name);
    ended_run other(folder);
    auto options = learner_options(other.plan);
    options.staleness_bound.reset();
    trainer core(options, *other.plan.models().load("policy"));
    auto rules = other.plan.rules();
    rules.window = schedule_number::constant(4);
    rules.when_late =
        late_rule::accept;  // the others would keep a promise that these rollouts were not drawn under
    other_order order(row.choose, rules, other.plan.groups_per_batch());
    std::set<std::uint64_t> kept, consumed;
    std::int64_t given = 0;
    replay_listeners listeners;
    listeners.read = [&](const journal_record &record) {
      if (const auto *group = std::get_if<group_kept>(&record.event)) kept.insert(group->group->id);
      if (std::holds_alternative<batch_consumed>(record.event)) ++given;
    };
    listeners.meets = [&](const std::vector<sample_group_ptr> &batch) {
      CHECK(core.version() < given);
      for (const auto &group : batch) {
        CHECK(kept.contains(group->id));
        CHECK(consumed.insert(group->id).second);  // nothing twice
      }
    };
    CHECK_FALSE(replay_journal(other.paths.journal, core, 0, listeners, &order));
    CHECK(core.version() == 6);
    CHECK(consumed.size() == 12);
    if (row.name == "strict") {
      CHECK(at::equal(core.model().flat(), own.core.model().flat()));
      CHECK(order.too_old() == 0);
    }
  }
}

namespace {

/// Between the advantages and the learner: from draw 6 on it says that tokens are two versions older.
sample_sink::behavior_type make_older(sample_sink::pointer self, const sample_sink &next) {
  return {[=](const sample_group_ptr &group) {
    auto older = std::make_shared<sample_group>(*group);
    if (group->id >= 6)
      for (auto &each : older->samples)
        for (auto &version : each.versions) version -= 2;
    self->send(next, sample_group_ptr(older));
  }};
}

registry kinds_that_age() {
  auto kinds = builtin_kinds();
  actor_kind kind;
  kind.name = "advantage.aged";
  kind.ports.accepts = ports<sample_sink>();
  kind.ports.gives = port_name<sample_sink>::value;
  kind.read = [](actor_config &config) {
    node_plan plan;
    plan.spawn = [name = config.name](spawn_context &context) {
      return context.own(name, context.system.spawn(make_older, context.sinks<sample_sink>(name).front()));
    };
    return plan;
  };
  kinds.add(std::move(kind));
  return kinds;
}

}  // namespace

TEST_CASE("a broken staleness promise ends the run with the whole history of its prompt") {
  const test::scratch folder;
  auto text = grpo(folder, 0);
  const std::string taken = "takes = \"advantage\"";
  text.replace(text.find(taken), taken.size(), "takes = \"older\"");
  text += "[actors.older]\nkind = \"advantage.aged\"\ntakes = \"advantage\"\n";
  const auto summary = run(text, kinds_that_age());
  CHECK(summary["status"] == "failed");
  CHECK(summary["exit_code"] == 1);
  const auto error = summary["error"].get<std::string>();
  INFO(error);
  CHECK_THAT(error, test::Contains("the staleness contract is broken: prompt 6, response token 0 was made by "
                                   "version 1 and is trained on at version 3: age 2, promised at most 0"));
  CHECK_THAT(error, test::Contains("its history:\n"));
  // the buffer and the ledger tell the journal each for itself, so only the ends have a fixed place
  CHECK(error.find("waiting   drawn, row ") < error.find("running "));
  for (const auto *part : {"no token by weights older than version 3", "finished ", "buffered ",
                           "kept      4 samples of ", ", by version 1", "consumed  for version 4"}) {
    INFO(part);
    CHECK(error.find(part) < error.npos);
    CHECK(error.find(part) > error.find("waiting "));
  }
  CHECK_THAT(test::read_text(folder / "runs/tiny/log.txt"), test::Contains("consumed  for version 4"));
  const auto kept = json::parse(test::read_text(folder / "runs/tiny/summary.json"));
  CHECK(kept["error"] == error);
}
