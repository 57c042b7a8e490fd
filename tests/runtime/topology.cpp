#include "runtime/topology/topology.hpp"

#include "models/error.hpp"
#include "runtime/topology/resolved.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using Catch::Matchers::StartsWith;
using test::Contains;

namespace {

const std::string full = R"([run]
name = "sort-ppo"
updates = 200
[schedule]
batch = 64
max_staleness = 2
on_new_weights = "finish"
publish_every = 3
[models.policy]
from = "run:sort-sft"
[models.reference]
copy_of = "policy"
[models.small]
architecture = "llama"
hidden_size = 128
layers = 4
heads = 2
alphabet = "0123456789 \"\\\té"
head = "score"
[data]
make = "sort"
[actors.prompts]
kind = "loader"
dataset = "data/sort/prompts.jsonl"
[actors.sampler]
kind = "sampler"
takes = "prompts"
model = "policy"
group = 8
temperature = 0.1
filters = { top_k = 5, names = ["a", "b"] }
[actors.learner]
kind = "learner"
takes = ["sampler"]
device = "cuda:1"
)";

topology parsed(const std::string &text) {
  return make_topology(parse_document(text, "t.toml"), "t.toml");
}

}  // namespace

TEST_CASE("a topology is read with its defaults") {
  const auto t = parsed(full);
  CHECK(t.run.name == "sort-ppo");
  CHECK(t.run.seed == 1);
  CHECK(t.run.updates == 200);
  CHECK(t.run_folder() == "runs/sort-ppo");
  CHECK(t.schedule.batch == 64);
  CHECK(t.schedule.order == "strict");
  CHECK(t.schedule.on_new_weights == new_weights::finish);
  CHECK(t.schedule.publish_every.first == 3);
  REQUIRE(t.models.size() == 3);
  CHECK(t.find_model("policy")->from == "run:sort-sft");
  CHECK(t.find_model("reference")->copy_of == "policy");
  CHECK(t.find_model("nobody") == nullptr);
  CHECK(t.data.folder == "data/sort");
  REQUIRE(t.actors.size() == 3);
  CHECK(t.actors[1].name == "sampler");
  CHECK(t.actors[1].takes[0].name == "prompts");
  CHECK(to_string(t.actors[1].takes[0].at) == "t.toml:27:9");
  CHECK(to_string(t.actors[2].takes[0].at) == "t.toml:34:10");
  CHECK(t.actors[2].device == "cuda:1");
  CHECK(t.find_actor("nobody") == nullptr);
}

TEST_CASE("a fresh network gets the shape of the quickstart model") {
  const auto t = parsed(full);
  const auto &small = *t.find_model("small");
  CHECK(small.source == model_config::origin::fresh);
  CHECK(small.spec.intermediate_size == 344);
  CHECK(small.spec.head_dim == 64);
  CHECK(small.spec.kv_heads == 2);
  CHECK(small.spec.tied_embeddings);
  CHECK(small.labels == 1);
  CHECK(small.spec.labels == 1);
  CHECK(small.alphabet == "0123456789 \"\\\té");
}

TEST_CASE("an actor's own keys are left for its kind, and the common ones known") {
  const auto t = parsed(full);
  auto s = t.find_actor("sampler")->settings();
  CHECK(s.integer("group", 1) == 8);
  CHECK(s.required_text("model") == "policy");
  s.number("temperature", 1.0);
  CHECK_THROWS_WITH(s.finish(),
                    StartsWith("t.toml:31:1: error: unknown key \"filters\"") &&
                        Contains("Known keys: group, model, temperature, kind, takes, device and node"));
}

TEST_CASE("a resolved topology reads back as itself, defaults included") {
  auto t = parsed(full);
  auto s = t.actors[0].settings();
  s.required_text("dataset");
  s.flag("shuffle", true);
  t.actors[0].node = s.resolved();
  const auto text = write_resolved(t);
  CHECK_THAT(text, Contains("seed = 1\n") && Contains("shuffle = true\n") && Contains("folder = \"runs\"\n"));
  CHECK(write_resolved(parsed(text)) == text);
}

TEST_CASE("values are written so that TOML reads them back") {
  const auto root =
      parse_document("a = [1, -0.0, 1e300, inf, \"q\\\"\\\\\\u0001\\n\", {\"odd key\" = true}]\n", "f");
  const auto text = write_value(*root.find("a"));
  CHECK(text == "[1, -0.0, 1e+300, inf, \"q\\\"\\\\\\u0001\\u000A\", { \"odd key\" = true }]");
  CHECK(write_value(*parse_document("a = " + text, "f").find("a")) == text);
}

TEST_CASE("overrides reach the files of a command that have the table") {
  const test::scratch folder;
  const auto rlhf = folder.write("rlhf.toml", full);
  const auto sft = folder.write("sft.toml",
                                "[run]\nname = \"sft\"\nupdates = 1\n[schedule]\nbatch = 2\n"
                                "[actors.learner]\nkind = \"learner\"\n");
  const auto both = read_topologies({sft, rlhf}, {"run.seed=5", "actors.sampler.group=4", "run.folder=out"});
  REQUIRE(both.size() == 2);
  CHECK(both[0].run.seed == 5);
  CHECK(both[1].run.seed == 5);
  CHECK(both[1].run_folder() == "out/sort-ppo");
  CHECK(both[0].actors.size() == 1);
  CHECK(*both[1].find_actor("sampler")->node.find("group")->as_integer() == 4);
  CHECK_THROWS_WITH(read_topologies({sft}, {"actors.sampler.group=4"}),
                    StartsWith("--set actors.sampler: error: no file of this command has [actors.sampler]"));
  CHECK_THROWS_WITH(read_topology(rlhf, {"run.sede=4"}),
                    StartsWith("--set run.sede: error: unknown key \"sede\""));
}
