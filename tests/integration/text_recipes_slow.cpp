#include <ATen/core/Tensor.h>

#include <nlohmann/json.hpp>

#include "tests/support/program.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using test::scratch;

namespace {

using nlohmann::json;
using arguments = std::vector<std::string>;

const std::string configs = SLIPSTREAM_SOURCE_DIR "/configs/";

/// A language of ten nouns and six adjectives, in the files that the recipes' scripts write.
struct tiny_texts {
  std::string definitions, ratings, prompts, sentences, pairs, text;
};

tiny_texts make_texts() {
  const arguments nouns{"cat", "dog", "sun", "rain", "wall", "door", "lamp", "leaf", "coat", "ship"};
  const std::vector<std::pair<std::string, int>> adjectives{{"lovely", 3}, {"good", 2}, {"plain", 0},
                                                            {"odd", -1},   {"bad", -2}, {"awful", -3}};
  tiny_texts all;
  const auto line = [](std::string &file, const json &row) { file += row.dump() + "\n"; };
  for (const auto &noun : nouns) {
    line(all.prompts, {{"prompt", "define " + noun}});
    for (std::size_t i = 0; i < adjectives.size(); ++i) {
      const auto &[word, rating] = adjectives[i];
      const auto gloss = "a " + word + " thing";
      line(all.definitions, {{"prompt", "define " + noun}, {"response", gloss}});
      line(all.ratings, {{"prompt", "define " + noun}, {"response", gloss}, {"score", rating}});
      line(all.sentences, {{"prompt", "review:"}, {"response", " the " + noun + " is " + word}});
      const auto &worse = adjectives[adjectives.size() - 1 - i % 2].first;
      if (i < 3)
        line(all.pairs, {{"prompt", "review:"},
                         {"chosen", " the " + noun + " is " + word},
                         {"rejected", " the " + noun + " is " + worse}});
      all.text += "define " + noun + " " + gloss + "\n";
    }
  }
  return all;
}

void write_texts(const scratch &folder) {
  const auto all = make_texts();
  for (const std::string name : {"", "-heldout"}) {
    folder.write("data/text/definitions" + name + ".jsonl", all.definitions);
    folder.write("data/text/ratings" + name + ".jsonl", all.ratings);
    folder.write("data/text/prompts" + name + ".jsonl", all.prompts);
    folder.write("data/reviews/sentences" + name + ".jsonl", all.sentences);
    folder.write("data/reviews/pairs" + name + ".jsonl", all.pairs);
    folder.write("data/reviews/prompts" + name + ".jsonl", all.prompts);
  }
  folder.write("data/text/text.txt", all.text);
}

std::string run(const scratch &folder, arguments words) {
  const scratch prints;
  test::program program(folder.path(), prints.path(), std::move(words));
  const auto code = program.wait();
  INFO(program.err());
  REQUIRE(code == 0);
  return program.out();
}

/// Runs a recipe's stage with fewer updates of fewer rollouts and gives back its summary.
json run_stage(const scratch &folder, const std::string &file, const std::string &name,
               const std::string &updates, const arguments &more = {}) {
  arguments words{"run", configs + file, "--set", "run.updates=" + updates, "--set", "schedule.batch=16"};
  for (const auto &entry : more) words.insert(words.end(), {"--set", entry});
  run(folder, words);
  return json::parse(test::read_text(folder / ("runs/" + name + "/summary.json")));
}

}  // namespace

TEST_CASE("the recipes of configs/text and configs/reviews run from end to end on a tiny language") {
  const scratch folder;
  write_texts(folder);
  run(folder,
      {"tokenizer", "train", "data/text/text.txt", "--vocab-size", "300", "--to", "data/text/tokenizer"});
  const auto text_sft =
      run_stage(folder, "text/sft.toml", "text-sft", "40",
                {"models.policy.hidden_size=32", "models.policy.heads=2", "models.policy.layers=2"});
  CHECK(text_sft["eval"]["perplexity"] < 30);  // the vocabulary has 300 tokens, six adjectives among them
  const auto text_reward =
      run_stage(folder, "text/reward.toml", "text-reward", "40", {"actors.heldout.every=20"});
  CHECK(text_reward["eval"]["pearson"] > 0.5);
  CHECK(text_reward["eval"].contains("spearman"));
  CHECK(text_reward["eval_history"]["heldout"].size() == 2);
  run_stage(folder, "text/rlhf.toml", "text-rlhf", "2");
  run(folder,
      {"tokenizer", "train", "data/text/text.txt", "--vocab-size", "300", "--to", "data/reviews/tokenizer"});
  run_stage(folder, "reviews/sft.toml", "reviews-sft", "10",
            {"models.policy.hidden_size=32", "models.policy.heads=2", "models.policy.layers=2"});
  const auto reviews_reward = run_stage(folder, "reviews/reward.toml", "reviews-reward", "30",
                                        {"models.reward.hidden_size=32", "models.reward.heads=2"});
  CHECK(reviews_reward["eval"]["accuracy_pairs"] > 0.6);
  const auto rlhf = run_stage(folder, "reviews/rlhf.toml", "reviews-rlhf", "2");
  CHECK(rlhf["eval"]["answers"].size() == 10);
  CHECK(rlhf["eval"]["distinct_1"] > 0);
  CHECK(rlhf.contains("kl"));
  const auto before =
      json::parse(run(folder, {"eval", configs + "reviews/rlhf.toml", "--model",
                               "runs/reviews-sft/checkpoints/last", "--set", "actors.heldout.show=3"}));
  CHECK(before["eval"]["answers"].size() == 3);
  CHECK(before["eval"]["answers"][0]["prompt"] == "define cat");
}
