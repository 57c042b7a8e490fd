#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/support/gguf_builder.hpp"
#include "tests/support/program.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using nlohmann::json;

namespace {

struct said {
  int code;
  std::string out, err;
};

said run(const test::scratch &place, std::vector<std::string> arguments) {
  test::program program(place.path(), place.path(), std::move(arguments));
  const int code = program.wait();
  return {code, program.out(), program.err()};
}

json answer_of(const test::scratch &place, const std::string &model) {
  const auto told = run(place, {"generate", "--model", model, "--prompt", "the 7", "--max-new-tokens", "6",
                                "--temperature", "0", "--json"});
  INFO(told.err);
  REQUIRE(told.code == 0);
  return json::parse(told.out);
}

constexpr const char *topology = R"(
[run]
name = "small"
updates = 2
[schedule]
batch = 4
[models.policy]
from = "small.gguf"
lora = { rank = 2 }
[actors.prompts]
kind = "loader"
dataset = "prompts.jsonl"
[actors.sampler]
kind = "sampler"
takes = "prompts"
model = "policy"
group = 4
max_new_tokens = 4
[actors.right]
kind = "scorer.number"
takes = "sampler"
partial = 0.5
[actors.brief]
kind = "scorer.length"
takes = "sampler"
limit = 9
[actors.advantage]
kind = "advantage.grpo"
takes = ["right", "brief"]
[actors.learner]
kind = "learner"
takes = "advantage"
model = "policy"
loss = "decoupled_ppo"
learning_rate = 1e-2
)";

}  // namespace

TEST_CASE("a GGUF file is inspected, sampled from and exported by the commands") {
  const test::scratch place;
  place.write("small.gguf", test::small_gguf().bytes());
  const auto shown = run(place, {"inspect", "small.gguf", "--json"});
  INFO(shown.err);
  REQUIRE(shown.code == 0);
  const auto told = json::parse(shown.out);
  CHECK(told["layers"] == 2);
  CHECK(told["tokens"]["stops"] == json({1, 2}));
  const auto first = answer_of(place, "small.gguf");
  CHECK(run(place, {"export", "small.gguf", "--to", "f32.gguf", "--format", "gguf"}).code == 0);
  CHECK(run(place, {"export", "small.gguf", "--to", "folder"}).code == 0);
  CHECK(answer_of(place, "f32.gguf") == first);
  CHECK(answer_of(place, "folder") == first);
  for (const char *type : {"f16", "bf16", "q8_0"})
    CHECK(run(place,
              {"export", "folder", "--to", std::string(type) + ".gguf", "--format", "gguf", "--type", type})
              .code == 0);
  CHECK(answer_of(place, "q8_0.gguf")["ids"].size() == first["ids"].size());
}

TEST_CASE("wrong orders to export are refused with exit code 2") {
  const test::scratch place;
  place.write("small.gguf", test::small_gguf().bytes());
  const auto refused = [&](std::vector<std::string> more, const char *why) {
    std::vector<std::string> all{"export", "small.gguf", "--to", "a.gguf"};
    all.insert(all.end(), more.begin(), more.end());
    const auto told = run(place, all);
    CHECK(told.code == 2);
    CHECK_THAT(told.err, test::Contains(why));
    CHECK(!std::filesystem::exists(place / "a.gguf"));
  };
  refused({"--type", "q8_0"}, "add --format gguf");
  refused({"--format", "gguf", "--type", "q3_k"}, "q3_k");
  refused({"--format", "gguf", "--keep-adapter"}, "--keep-adapter");
  refused({"--format", "ggml"}, "--format");
}

TEST_CASE("the adapters of a run from a GGUF file are exported merged") {
  const test::scratch place;
  place.write("small.gguf", test::small_gguf().bytes());
  place.write("prompts.jsonl", "{\"prompt\": \"the 7\", \"answer\": \"#### 7\"}\n");
  place.write("run.toml", topology);
  const auto checked = run(place, {"check", "run.toml"});
  INFO(checked.err);
  CHECK(checked.code == 0);
  const auto ran = run(place, {"run", "run.toml"});
  INFO(ran.err);
  REQUIRE(ran.code == 0);
  CHECK(std::filesystem::exists(place / "runs/small/checkpoints/base/tokenizer.json"));
  CHECK(run(place, {"export", "runs/small", "--to", "learned.gguf", "--format", "gguf", "--type", "f32"})
            .code == 0);
  CHECK(answer_of(place, "learned.gguf")["ids"] == answer_of(place, "runs/small/checkpoints/last")["ids"]);
}
