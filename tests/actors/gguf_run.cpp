#include <ATen/ATen.h>

#include "models/files/adapter_config.hpp"
#include "models/files/json.hpp"
#include "tests/support/gguf_builder.hpp"
#include "tests/support/run_tiny.hpp"

using namespace slipstream;

namespace {

// Answers of random weights, rated by every reward to start from.
std::string rewarded(const std::string &folder, const std::string &model_keys) {
  return "[run]\nname = \"small\"\nseed = 3\nupdates = 2\nfolder = \"" + folder +
         "/runs\"\n[schedule]\nbatch = 8\nmax_staleness = 0\n[models.policy]\nfrom = \"" + folder +
         "/small.gguf\"\n" + model_keys + "[actors.prompts]\nkind = \"loader\"\ndataset = \"" + folder +
         "/prompts.jsonl\"\n[actors.sampler]\nkind = \"sampler\"\ntakes = \"prompts\"\nmodel = \"policy\"\n"
         "group = 4\nslots = 8\nmax_new_tokens = 5\n"
         "[actors.right]\nkind = \"scorer.number\"\ntakes = \"sampler\"\npartial = 0.5\n"
         "[actors.form]\nkind = \"scorer.format\"\ntakes = \"sampler\"\npatterns = [\"^[a-z]\", \"[0-9]\"]\n"
         "scores = [0.5, 0.25]\n"
         "[actors.brief]\nkind = \"scorer.length\"\ntakes = \"sampler\"\nlimit = 40\n"
         "[actors.says]\nkind = \"scorer.contains\"\ntakes = \"sampler\"\ntexts = [\"a\", \"b\"]\n"
         "[actors.again]\nkind = \"scorer.repetition\"\ntakes = \"sampler\"\nunit = \"tokens\"\nn = 1\n"
         "[actors.advantage]\nkind = \"advantage.grpo\"\n"
         "takes = [\"right\", \"form\", \"brief\", \"says\", \"again\"]\nweights = { brief = 0.5 }\n"
         "[actors.learner]\nkind = \"learner\"\ntakes = \"advantage\"\nmodel = \"policy\"\n"
         "loss = \"decoupled_ppo\"\nlearning_rate = 1e-2\n";
}

void write_inputs(const test::scratch &place) {
  place.write("small.gguf", test::small_gguf().bytes());
  place.write(
      "prompts.jsonl",
      "{\"prompt\": \"the 7\", \"answer\": \"#### 7\"}\n{\"prompt\": \"then 9\", \"answer\": \"9\"}\n");
}

}  // namespace

TEST_CASE("a run that begins with a GGUF file leaves Hugging Face folders") {
  const test::scratch place;
  write_inputs(place);
  const auto run = test::run_tiny(rewarded(place.path().string(), ""));
  const auto last = place / "runs/small/checkpoints/last";
  for (const char *file : {"config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"})
    CHECK(std::filesystem::exists(last / file));
  const auto before = load_checkpoint(place / "small.gguf"), after = load_checkpoint(last);
  CHECK(before.spec.layers == after.spec.layers);
  CHECK(!at::equal(before.flat, after.flat));
  CHECK(after.text->encode("the then 7") == before.text->encode("the then 7"));
  CHECK(load_chat(last).has_value());
  CHECK(!std::filesystem::exists(place / "runs/small/checkpoints/base"));
  const auto metrics = test::lines(run.metrics);
  REQUIRE(metrics.size() == 2);
  CHECK(metrics[0].dump().find("brief") != std::string::npos);
}

TEST_CASE("adapters over a GGUF file name a folder that holds what they adapt") {
  const test::scratch place;
  write_inputs(place);
  test::run_tiny(rewarded(place.path().string(), "lora = { rank = 2 }\n"));
  const auto checkpoints = place / "runs/small/checkpoints";
  const auto config = read_json(checkpoints / "last/adapter_config.json");
  CHECK(config["base_model_name_or_path"] == std::filesystem::absolute(checkpoints / "base").string());
  const auto base = load_checkpoint(checkpoints / "base"), first = load_checkpoint(place / "small.gguf");
  CHECK(at::equal(base.flat, first.flat));
  REQUIRE(base.text);
  const auto adapted = load_checkpoint(checkpoints / "last");
  REQUIRE(adapted.adapter);
  CHECK(at::equal(adapted.flat, first.flat));
  CHECK(adapted.adapter->values.abs().max().item<double>() > 0);
}
