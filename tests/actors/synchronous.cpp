#include <ATen/ATen.h>
#include <caf/all.hpp>

#include <fstream>
#include <nlohmann/json.hpp>

#include "actors/run.hpp"
#include "models/engine/engine.hpp"
#include "models/files/checkpoint.hpp"
#include "models/network/group_forward.hpp"
#include "models/objectives/advantages.hpp"
#include "runtime/data/cursor.hpp"
#include "runtime/data/jsonl.hpp"
#include "runtime/learning/samples.hpp"
#include "runtime/learning/trainer.hpp"
#include "runtime/scoring/text_scores.hpp"
#include "tests/support/delay.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

constexpr std::int64_t updates = 5, batch = 24, group = 4, answer_tokens = 6;

std::string topology_text(const std::filesystem::path &folder, const std::string &run, std::int64_t staleness,
                          std::int64_t replicas, bool delayed) {
  const auto quoted = [](const std::filesystem::path &path) { return "\"" + path.string() + "\""; };
  return "[run]\nname = \"" + run + "\"\nseed = 7\nupdates = " + std::to_string(updates) +
         "\nnumerics = \"exact\"\nfolder = " + quoted(folder) +
         "\n[schedule]\nbatch = " + std::to_string(batch) + "\nmax_staleness = " + std::to_string(staleness) +
         "\n[models.policy]\narchitecture = \"llama\"\nalphabet = \"0123456789=\"\nhidden_size = 24\n"
         "intermediate_size = 40\nlayers = 2\nheads = 2\nkv_heads = 1\nmax_positions = 32\ninitializer_range "
         "= 0.3\n"
         "[models.reference]\ncopy_of = \"policy\"\n"
         "[actors.prompts]\nkind = \"loader\"\ndataset = " +
         quoted(folder / "prompts.jsonl") +
         "\n[actors.sampler]\nkind = \"sampler\"\ntakes = \"prompts\"\nmodel = \"policy\"\nslots = 8\ngroup "
         "= " +
         std::to_string(group) + "\nmax_new_tokens = " + std::to_string(answer_tokens) +
         "\nreplicas = " + std::to_string(replicas) + "\n" +
         (delayed ? "[actors.delay]\nkind = \"test.delay\"\ntakes = \"sampler\"\n" : "") +
         "[actors.near]\nkind = \"scorer.edit_similarity\"\ntakes = \"" + (delayed ? "delay" : "sampler") +
         "\"\n[actors.reference]\nkind = \"reference\"\ntakes = \"sampler\"\nmodel = \"reference\"\n"
         "[actors.advantage]\nkind = \"advantage.grpo\"\ntakes = [\"near\", \"reference\"]\n"
         "[actors.learner]\nkind = \"learner\"\ntakes = \"advantage\"\nmodel = \"policy\"\nloss = "
         "\"decoupled_ppo\"\n"
         "learning_rate = 1e-2\nkl = 0.1\nmicro_batch = 10\nmini_batches = 2\nepochs = 2\n";
}

void write_prompts(const std::filesystem::path &file) {
  std::ofstream out(file);
  for (int i = 0; i < 17; ++i)
    out << R"({"prompt":")" << i * 37 % 1000 << R"(=","answer":")" << i * 53 % 1000 << "\"}\n";
}

topology make(const std::string &text) {
  return make_topology(parse_document(text, "test.toml"), "test.toml");
}

nlohmann::json run_actors(const std::string &text) {
  preflight plan(make(text), test::delaying_kinds());
  plan.verify();
  caf::actor_system_config config;
  configure(config);
  caf::actor_system system{config};
  return run_topology(system, plan, {});
}

at::Tensor trained_weights(const std::filesystem::path &folder, const std::string &run) {
  return load_checkpoint(folder / run / "checkpoints" / "last").flat;
}

trainer_options plain_options() {
  trainer_options options;
  options.objective = &find_objective("decoupled_ppo");
  options.loss = options.objective->defaults;
  options.loss.kl_coefficient = 0.1;
  options.rate = {schedule_shape::cosine, 1e-2, 0, updates * 4, 0.1};
  options.micro_batch = 10;
  options.mini_batches = 2;
  options.epochs = 2;
  options.staleness_bound = 0;
  return options;
}

/// Synchronous GRPO as one writes it down: draw, sample, score, train, repeat. No actors, no ledger, no
/// buffer.
at::Tensor plain_loop(const topology &graph, const std::filesystem::path &prompts) {
  model_store models(graph);
  const auto policy = models.load("policy");
  const auto &text = *models.describe("policy").text;
  const auto rows = read_jsonl(prompts).rows;
  cursor order(graph.run.seed, static_cast<std::int64_t>(rows.size()));
  trainer core(plain_options(), *policy);
  auto weights = policy;
  for (std::int64_t update = 0; update < updates; ++update) {
    engine decoder(engine_options{.slots = 5, .page_size = 4});
    decoder.set_weights(weights, update);
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
    std::vector<sample_group_ptr> trained;
    for (const auto &[id, sampled] : groups) {
      joined_group joined{
          sampled, {}, answer_logprobs(*policy, sampled->prompt_tokens, sampled->rollouts, 1.0)};
      std::vector<double> rewards;
      for (const auto &answer : sampled->rollouts)
        rewards.push_back(edit_similarity(text.decode(answer.tokens), sampled->source->answer));
      const auto rule = [](const auto &given) { return group_advantages(find_advantage("grpo"), given); };
      trained.push_back(std::make_shared<const sample_group>(advantage_samples(joined, rewards, rule)));
    }
    core.begin(trained, 0);
    while (core.slice()) {
    }
    weights = core.complete(0).weights;
  }
  return core.model().flat().clone();
}

}  // namespace

TEST_CASE("with a staleness bound of 0 the actors' weights equal a plain loop's bit for bit") {
  const test::scratch folder;
  write_prompts(folder.path() / "prompts.jsonl");
  const auto expected =
      plain_loop(make(topology_text(folder.path(), "plain", 0, 1, false)), folder.path() / "prompts.jsonl");
  struct variant {
    std::string name;
    std::int64_t samplers;
    bool delayed;
  };
  for (const auto &[name, samplers, delayed] : {variant{"one", 1, false}, variant{"two", 2, false},
                                                variant{"delayed", 1, true}, variant{"both", 2, true}}) {
    INFO(name);
    const auto summary = run_actors(topology_text(folder.path(), name, 0, samplers, delayed));
    CHECK(summary.value("error", "") == "");
    CHECK(summary["staleness_max"] == 0);
    CHECK(summary["staleness_bound"] == 0);
    const auto weights = trained_weights(folder.path(), name);
    CHECK(at::equal(weights, expected));
  }
  const auto untrained =
      model_store(make(topology_text(folder.path(), "fresh", 0, 1, false))).load("policy")->flat();
  CHECK_FALSE(at::equal(untrained, expected));  // the comparison can fail
}

TEST_CASE("staleness stays within the bound and the ledger closes") {
  const test::scratch folder;
  write_prompts(folder.path() / "prompts.jsonl");
  for (const std::int64_t bound : {1, 3}) {
    const auto name = "bound-" + std::to_string(bound);
    const auto summary = run_actors(topology_text(folder.path(), name, bound, 2, true));
    CHECK(summary.value("error", "") == "");
    CHECK(summary["staleness_bound"] == bound);
    CHECK(summary["staleness_max"] <= bound);
    CHECK(summary["staleness_max"] >= 1);
    const auto &books = summary["ledger"];
    std::int64_t dropped = 0;
    for (const auto &[reason, count] : books["dropped"].items()) dropped += count.get<std::int64_t>();
    CHECK(books["trained"] == updates * batch);
    CHECK(books["drawn"] ==
          books["trained"].get<std::int64_t>() + dropped + books["in_flight"].get<std::int64_t>());
  }
}
