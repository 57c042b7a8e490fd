#include <ATen/ATen.h>
#include <caf/all.hpp>

#include <fstream>
#include <nlohmann/json.hpp>

#include "actors/run.hpp"
#include "models/engine/engine.hpp"
#include "models/error.hpp"
#include "models/files/checkpoint.hpp"
#include "models/network/group_forward.hpp"
#include "runtime/data/cursor.hpp"
#include "runtime/data/jsonl.hpp"
#include "runtime/learning/samples.hpp"
#include "runtime/learning/trainer.hpp"
#include "runtime/learning/vtrace.hpp"
#include "runtime/scoring/text_scores.hpp"
#include "tests/support/delay.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using test::Contains;

namespace {

constexpr std::int64_t updates = 5, batch = 16, group = 2, answer_tokens = 6, warm = 1;

const std::string network =
    "architecture = \"llama\"\nalphabet = \"0123456789=\"\nhidden_size = 24\nintermediate_size = 40\n"
    "layers = 2\nheads = 2\nkv_heads = 1\nmax_positions = 32\ninitializer_range = 0.3\n";

struct critic_topology {
  std::filesystem::path folder;
  std::string name;
  std::int64_t staleness = 0;
  std::int64_t replicas = 1;
  bool delayed = false;
  std::string critic_takes = "advantage";
  bool vtrace = false;

  std::string text() const {
    const auto quoted = [](const std::filesystem::path &path) { return "\"" + path.string() + "\""; };
    const std::string rollouts = delayed ? "delay" : "sampler";
    return "[run]\nname = \"" + name + "\"\nseed = 7\nupdates = " + std::to_string(updates) +
           "\nnumerics = \"exact\"\nfolder = " + quoted(folder) +
           "\n[schedule]\nbatch = " + std::to_string(batch) +
           "\nmax_staleness = " + std::to_string(staleness) + "\n[models.policy]\n" + network +
           "[models.reference]\ncopy_of = \"policy\"\n[models.critic]\n" + network +
           "head = \"score\"\n[actors.prompts]\nkind = \"loader\"\ndataset = " +
           quoted(folder / "prompts.jsonl") +
           "\n[actors.sampler]\nkind = \"sampler\"\ntakes = \"prompts\"\nmodel = \"policy\"\nslots = "
           "8\ngroup = " +
           std::to_string(group) + "\nmax_new_tokens = " + std::to_string(answer_tokens) +
           "\nreplicas = " + std::to_string(replicas) + "\n" +
           (delayed ? "[actors.delay]\nkind = \"test.delay\"\ntakes = \"sampler\"\n" : "") +
           "[actors.near]\nkind = \"scorer.edit_similarity\"\ntakes = \"" + rollouts +
           "\"\n[actors.value]\nkind = \"critic\"\ntakes = \"" + rollouts +
           "\"\nmodel = \"critic\"\n[actors.reference]\nkind = \"reference\"\ntakes = \"sampler\"\n"
           "model = \"reference\"\n[actors.advantage]\nkind = \"advantage." +
           (vtrace ? "vtrace\"\nrho = 0.99\n" : "gae\"\nlambda = 0.9\n") +
           "takes = [\"near\", \"value\", \"reference\"]\nkl_in_reward = 0.05\n"
           "[actors.learner]\nkind = \"learner\"\ntakes = \"advantage\"\nmodel = \"policy\"\nloss = \"" +
           (vtrace ? "vtrace" : "ppo") +
           "\"\n"
           "learning_rate = 1e-2\nmicro_batch = 10\nmini_batches = 2\nstart_after = " +
           std::to_string(warm) +
           "\n[actors.teacher]\nkind = \"learner\"\nmodel = \"critic\"\nloss = \"value\"\nlearning_rate = "
           "2e-2\n"
           "decay = \"constant\"\nmicro_batch = 10\ntakes = \"" +
           critic_takes + "\"\n";
  }
};

topology make(const critic_topology &made) {
  return make_topology(parse_document(made.text(), "test.toml"), "test.toml");
}

void write_prompts(const std::filesystem::path &file) {
  std::ofstream out(file);
  for (int i = 0; i < 17; ++i)
    out << R"({"prompt":")" << i * 37 % 1000 << R"(=","answer":")" << i * 53 % 1000 << "\"}\n";
}

nlohmann::json run_actors(const critic_topology &made) {
  preflight plan(make(made), test::delaying_kinds());
  plan.verify();
  caf::actor_system_config config;
  configure(config);
  caf::actor_system system{config};
  return run_topology(system, plan, {});
}

struct weights {
  at::Tensor policy, critic;
};

weights trained_weights(const std::filesystem::path &run) {
  return {load_checkpoint(run / "checkpoints" / "last").flat,
          load_checkpoint(run / "checkpoints" / "teacher" / "last", 1).flat};
}

vtrace_options vtrace_keys() {
  vtrace_options keys;
  keys.bounds.rho = 0.99;
  keys.kl_in_reward = 0.05;
  return keys;
}

trainer_options policy_options(bool by_vtrace) {
  trainer_options options;
  options.objective = &find_objective(by_vtrace ? "vtrace" : "ppo");
  options.loss = options.objective->defaults;
  options.rate = {schedule_shape::cosine, 1e-2, 0, (updates - warm) * 2, 0.1};
  options.micro_batch = 10;
  options.mini_batches = 2;
  options.start_after = warm;
  options.transforms = {normalised_advantages(statistics_scope::tokens, whitening)};
  if (by_vtrace) options.transforms = vtrace_transforms(vtrace_keys(), true);
  return options;
}

trainer_options critic_options(bool by_vtrace) {
  trainer_options options;
  options.objective = &find_objective("value");
  options.loss = options.objective->defaults;
  options.rate = {schedule_shape::constant, 2e-2, 0, updates, 0.1};
  options.micro_batch = 10;
  if (by_vtrace) options.transforms = vtrace_transforms(vtrace_keys(), false);
  return options;
}

/// Samples of one update, by the policy and the critic as they are then.
std::vector<sample_group_ptr> sample_batch(const topology &graph, cursor &order,
                                           const std::vector<example> &rows, const tokenizer &text,
                                           const transformer &reference,
                                           const std::shared_ptr<const transformer> &policy,
                                           const transformer &critic, bool by_vtrace) {
  engine decoder(engine_options{.slots = 5, .page_size = 4});
  decoder.set_weights(policy, 0);
  std::map<std::uint64_t, std::shared_ptr<rollout_group>> groups;
  for (std::int64_t i = 0; i < batch / group; ++i) {
    const auto next = order.next();
    auto line = std::make_shared<example>(rows[static_cast<std::size_t>(next.row)]);
    line->id = next.id;
    auto drawn = std::make_shared<rollout_group>();
    drawn->source = line;
    drawn->prompt_tokens = text.encode(line->prompt);
    decoder.submit({.id = next.id,
                    .prompt = drawn->prompt_tokens,
                    .samples = group,
                    .max_new_tokens = answer_tokens,
                    .seed = graph.run.seed});
    groups.emplace(next.id, std::move(drawn));
  }
  while (decoder.running() + decoder.queued() > 0)
    for (auto &done : decoder.step()) groups.at(done.id)->rollouts = std::move(done.samples);
  std::vector<sample_group_ptr> result;
  for (const auto &[id, sampled] : groups) {
    joined_group joined{
        sampled, {}, answer_logprobs(reference, sampled->prompt_tokens, sampled->rollouts, 1.0)};
    joined.values = answer_values(critic, sampled->prompt_tokens, sampled->rollouts);
    std::vector<double> rewards;
    for (const auto &answer : sampled->rollouts)
      rewards.push_back(edit_similarity(text.decode(answer.tokens), sampled->source->answer));
    result.push_back(std::make_shared<const sample_group>(
        by_vtrace ? vtrace_samples(joined, rewards) : gae_samples(joined, rewards, {1.0, 0.9, 0.05})));
  }
  return result;
}

/// PPO with a critic as one writes it down: draw, sample, score, value, train both, repeat.
weights plain_loop(const topology &graph, const std::filesystem::path &prompts, bool by_vtrace = false) {
  model_store models(graph);
  const auto policy = models.load("policy"), critic = models.load("critic");
  const auto rows = read_jsonl(prompts).rows;
  cursor order(graph.run.seed, static_cast<std::int64_t>(rows.size()));
  trainer actor(policy_options(by_vtrace), *policy), teacher(critic_options(by_vtrace), *critic);
  auto newest = policy, newest_critic = critic;
  for (std::int64_t update = 0; update < updates; ++update) {
    auto samples = sample_batch(graph, order, rows, *models.describe("policy").text, *policy, newest,
                                *newest_critic, by_vtrace);
    for (auto &each : samples) {  // sampled by the version that trains on them
      auto dated = std::make_shared<sample_group>(*each);
      for (auto &entry : dated->samples) entry.versions.assign(entry.behaviour.size(), update);
      each = dated;
    }
    const auto train = [&](trainer &core) {
      core.begin(samples, 0);
      while (core.slice()) {
      }
      return core.complete(0).weights;
    };
    if (by_vtrace)
      teacher.set_target_policy(newest);  // the policy that the batch meets, not the one it makes
    newest = train(actor);
    newest_critic = train(teacher);
  }
  return {newest->flat().clone(), newest_critic->flat().clone()};
}

}  // namespace

TEST_CASE("PPO with a critic at staleness 0 equals a plain loop bit for bit, policy and critic") {
  const test::scratch folder;
  write_prompts(folder.path() / "prompts.jsonl");
  const auto expected =
      plain_loop(make({.folder = folder.path(), .name = "plain"}), folder.path() / "prompts.jsonl");
  const auto graph = make({.folder = folder.path(), .name = "plain"});
  model_store untrained(graph);
  CHECK_FALSE(at::equal(expected.policy, untrained.load("policy")->flat()));  // the comparison can fail
  CHECK_FALSE(at::equal(expected.critic, untrained.load("critic")->flat()));
  for (const auto &made : {critic_topology{folder.path(), "one"}, critic_topology{folder.path(), "two", 0, 2},
                           critic_topology{folder.path(), "delayed", 0, 1, true},
                           critic_topology{folder.path(), "both", 0, 2, true}}) {
    INFO(made.name);
    const auto summary = run_actors(made);
    CHECK(summary.value("error", "") == "");
    CHECK(summary["updates"] == updates);
    CHECK(summary["learners"]["teacher"]["updates"] == updates);
    CHECK(summary["model_staleness"]["critic"] == nlohmann::json{{"max", 0}, {"bound", 0}});
    const auto [policy, critic] = trained_weights(folder.path() / made.name);
    CHECK(at::equal(policy, expected.policy));
    CHECK(at::equal(critic, expected.critic));
  }
  const auto told = test::read_text(folder.path() / "one" / "metrics.teacher.jsonl");
  CHECK(std::count(told.begin(), told.end(), '\n') == updates);
  CHECK_THAT(told, Contains("\"explained_variance\""));
}

TEST_CASE("V-trace at staleness 0 equals a plain loop bit for bit, and its critic waits for the policy") {
  const test::scratch folder;
  const auto prompts = folder.path() / "prompts.jsonl";
  write_prompts(prompts);
  const auto expected = plain_loop(make({.folder = folder.path(), .name = "plain"}), prompts, true);
  CHECK_FALSE(at::equal(expected.policy,
                        plain_loop(make({.folder = folder.path(), .name = "plain"}), prompts).policy));
  for (const std::int64_t bound : {0, 2}) {
    const critic_topology made{folder.path(), "vtrace-" + std::to_string(bound), bound, 2, true, "advantage",
                               true};
    const auto summary = run_actors(made);
    CHECK(summary.value("error", "") == "");
    CHECK(summary["learners"]["teacher"]["updates"] == updates);
    CHECK(summary["staleness_max"] <= bound);
    const auto [policy, critic] = trained_weights(folder.path() / made.name);
    CHECK(at::equal(policy, expected.policy) == (bound == 0));
    CHECK(at::equal(critic, expected.critic) == (bound == 0));
  }
}

TEST_CASE("the critic's age stays within the promise, and so does the policy's") {
  const test::scratch folder;
  write_prompts(folder.path() / "prompts.jsonl");
  for (const std::int64_t bound : {1, 2}) {
    const auto summary = run_actors({folder.path(), "bound-" + std::to_string(bound), bound, 2, true});
    CHECK(summary.value("error", "") == "");
    CHECK(summary["staleness_max"] <= bound);
    CHECK(summary["model_staleness"]["critic"]["bound"] == bound);
    CHECK(summary["model_staleness"]["critic"]["max"] <= bound);
    CHECK(summary["ledger"]["trained"] == updates * batch);
    CHECK(summary["ledger"]["in_flight"] == 0);
  }
}

TEST_CASE("topologies of several learners that cannot run are refused in words") {
  const test::scratch folder;
  write_prompts(folder.path() / "prompts.jsonl");
  const auto refusal = [&](const std::string &from, const std::string &to) {
    auto text = critic_topology{folder.path(), "refused"}.text();
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    text.replace(at, from.size(), to);
    try {
      preflight plan(make_topology(parse_document(text, "test.toml"), "test.toml"), test::delaying_kinds());
      plan.verify();
    } catch (const input_error &problem) {
      return std::string(problem.what());
    }
    return std::string("accepted");
  };
  CHECK_THAT(refusal("model = \"critic\"\nloss = \"value\"", "model = \"policy\"\nloss = \"ppo\""),
             Contains("[actors.teacher] trains \"policy\", which [actors.learner] trains too"));
  CHECK_THAT(refusal("[actors.teacher]", "[actors.last]"), Contains("would put its checkpoints where"));
  CHECK_THAT(refusal("loss = \"value\"", "loss = \"ppo\""), Contains("[models.critic] has a score head"));
  CHECK_THAT(refusal("\"near\", \"value\", \"reference\"", "\"near\", \"reference\""),
             Contains("gets no values"));
  CHECK_THAT(refusal("\"value\", \"reference\"]", "\"value\"]"), Contains("goes nowhere"));
  CHECK_THAT(refusal("kind = \"advantage.gae\"\nlambda = 0.9", "kind = \"advantage.vtrace\""),
             Contains("weights what \"advantage\" has weighted already; write loss = \"vtrace\""));
  CHECK_THAT(refusal("loss = \"ppo\"", "loss = \"vtrace\""), Contains("take from an advantage.vtrace actor"));
  CHECK_THAT(refusal("start_after = 1", "start_after = 5"), Contains("leaves none of the run's 5 updates"));
  CHECK_THAT(refusal("model = \"critic\"\n[actors.reference]", "model = \"policy\"\n[actors.reference]"),
             Contains("needs a model with a score head"));
  CHECK_THAT(refusal("kind = \"sampler\"\ntakes = \"prompts\"\nmodel = \"policy\"",
                     "kind = \"sampler\"\ntakes = \"prompts\"\nmodel = \"reference\""),
             Contains("neither leads the run"));
  CHECK_THAT(
      refusal(
          "[actors.teacher]",
          "[actors.pairs]\nkind = \"pairs\"\ntakes = \"near\"\n[actors.teacher]\nwarmup = 1") /* two keys */,
      Contains("goes nowhere"));
  const auto fixed =
      refusal("[actors.teacher]", "[models.other]\n" + network + "head = \"score\"\n[actors.teacher]");
  CHECK(fixed == "accepted");
}

TEST_CASE("a critic whose learner is not on the policy's path is refused") {
  const test::scratch folder;
  write_prompts(folder.path() / "prompts.jsonl");
  const critic_topology made{folder.path(), "apart", 0, 1, false, "other"};
  const auto text = made.text() + "[actors.other]\nkind = \"advantage.gae\"\ntakes = [\"near\", \"value\"]\n";
  preflight plan(make_topology(parse_document(text, "test.toml"), "test.toml"), test::delaying_kinds());
  CHECK_THROWS_WITH(plan.verify(), Contains("which does not train on the policy's batches; let it take from "
                                            "\"advantage\""));
}
