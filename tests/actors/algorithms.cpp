// Algorithms as whole runs: each row and key reaches the learner from a topology.
#include <ATen/core/Tensor.h>

#include "models/error.hpp"
#include "tests/support/run_tiny.hpp"
#include "tests/support/tiny_topology.hpp"

using namespace slipstream;
using test::Contains;

namespace {

std::string replaced(std::string text, const std::string &what, const std::string &with) {
  const auto at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), with);
}

/// The tiny run with another advantage and loss, and keys for both.
std::string with(const test::scratch &folder, const std::string &advantage, const std::string &loss,
                 const std::string &learner_keys = "", const std::string &advantage_keys = "") {
  auto text = test::tiny_topology{.folder = folder.path().string()}.grpo();
  text = replaced(text, "kind = \"advantage.grpo\"",
                  "kind = \"advantage." + advantage + "\"\n" + advantage_keys);
  return replaced(text, "loss = \"decoupled_ppo\"", "loss = \"" + loss + "\"") + learner_keys;
}

const std::string frozen = "[models.frozen]\ncopy_of = \"policy\"\n";

}  // namespace

TEST_CASE("every row of policies trains from a topology") {
  const struct {
    const char *advantage, *loss, *learner_keys, *figure;
  } rows[] = {
      {"grpo", "m2po", "m2po_tau = 1e-4\n", "m2po_fraction"},
      {"rloo", "tis", "proximal = \"interpolated\"\nmini_batches = 2\n", "weight_capped_fraction"},
      {"dr_grpo", "icepop", "weight_level = \"sequence_product\"\n", "weight_p95"},
      {"grpo", "mis", "ess_scaling = true\n", "step_scale"},
      {"reinforce_pp", "ppo", "stale_clip = 0.5\n", "staleness_histogram"},
      {"reinforce_pp_baseline", "cispo", "", "truncated"},
      {"gdpo", "ppo", "", "reward.near"},
      {"reinforce_centred", "reinforce", "allow_uncorrected = true\n", "reward.near"},
  };
  for (const auto &row : rows) {
    CAPTURE(row.advantage, row.loss);
    const test::scratch folder;
    test::write_tiny_data(folder.path());
    const auto left = test::run_tiny(with(folder, row.advantage, row.loss, row.learner_keys));
    CHECK(left.result["ledger"]["trained"] == 32);
    const auto updates = test::lines(left.metrics);
    REQUIRE(updates.size() == 4);
    CHECK(updates.back().contains(row.figure));
    CHECK(updates.back()["grad_norm"] > 0);
  }
}

TEST_CASE("groups without advantage are refilled: the ledger counts them and draws others") {
  const test::scratch folder;
  test::write_tiny_data(folder.path());
  const auto text = replaced(with(folder, "grpo", "ppo", "", "zero_groups = \"refill\"\n"), "edit_similarity",
                             "exact_match");
  auto easier = replaced(text, "max_new_tokens = 5", "max_new_tokens = 1");
  std::ofstream prompts(folder.path() / "prompts.jsonl");  // one digit, which now and then is guessed
  for (int i = 0; i < 40; ++i) prompts << R"({"prompt":"=","answer":")" << i % 10 << "\"}\n";
  prompts.close();
  const auto left = test::run_tiny(easier);
  const auto &books = left.result["ledger"];
  CHECK(books["trained"] == 32);
  CHECK(books["dropped"]["zero advantage"] > 0);
  std::int64_t dropped = 0;
  for (const auto &[reason, count] : books["dropped"].items()) dropped += count.get<std::int64_t>();
  CHECK(books["drawn"] == 32 + dropped + books["in_flight"].get<std::int64_t>());
  for (const auto &update : test::lines(left.metrics)) CHECK(update["zero_groups"] == 0.0);
}

TEST_CASE("a run whose groups are all alike ends in words instead of drawing for ever") {
  const test::scratch folder;
  test::write_tiny_data(folder.path());
  auto text = with(folder, "grpo", "ppo", "", "zero_groups = \"refill\"\ngive_up_after = 3\n");
  text = replaced(text, "edit_similarity", "exact_match");
  std::ofstream prompts(folder.path() / "prompts.jsonl");  // nothing that a model of digits could say
  for (int i = 0; i < 40; ++i)
    prompts << R"({"prompt":"=","answer":"never"})"
            << "\n";
  prompts.close();
  const auto left = test::run_tiny(text, "failed");
  CHECK_THAT(left.result["error"].get<std::string>(),
             Contains("groups were all dropped (zero advantage)") && Contains("give_up_after"));
}

TEST_CASE("a run whose rewards are all equal says so, with an answer and what it was compared with") {
  const test::scratch folder;
  test::write_tiny_data(folder.path());
  auto text = test::tiny_topology{.folder = folder.path().string(), .updates = 6}.grpo();
  const auto differing = test::run_tiny(text);
  CHECK_FALSE(differing.result["reports"].contains("advantage"));
  std::ofstream prompts(folder.path() / "prompts.jsonl");
  for (int i = 0; i < 40; ++i)
    prompts << R"({"prompt":"1=","answer":"never"})"
            << "\n";
  prompts.close();
  text = replaced(replaced(text, "edit_similarity", "exact_match"), "\"tiny\"", "\"equal\"");
  const auto equal = test::run_tiny(text);
  const auto told = equal.result["reports"]["advantage"]["equal_rewards"].get<std::string>();
  CHECK_THAT(told, Contains("the rewards of 5 updates (40 answers) are all 0") &&
                       Contains("the prompt \"1=\"") && Contains("was compared with \"never\""));
}

TEST_CASE("online DPO learns from the best and worst of a group, offline DPO from a file") {
  const test::scratch folder;
  test::write_tiny_data(folder.path());
  auto online = with(folder, "grpo", "dpo", "reference = \"frozen\"\n");
  online = replaced(online, "kind = \"advantage.grpo\"", "kind = \"pairs\"");
  online = replaced(online, "[actors.prompts]", frozen + "[actors.prompts]");
  const auto sampled = test::lines(test::run_tiny(online).metrics);
  REQUIRE(sampled.size() == 4);
  CHECK(sampled.front()["margin"].get<double>() == Approx(0).margin(1e-6));  // still its own reference
  CHECK(sampled.back()["pairs"] == 2);

  auto offline = test::tiny_topology{.folder = folder.path().string(), .name = "pairs", .updates = 8}.sft();
  offline = replaced(offline, "demonstrations.jsonl", "pairs.jsonl");
  offline = replaced(offline, "[actors.demonstrations]", frozen + "[actors.demonstrations]");
  offline = replaced(offline, "loss = \"sft\"", "loss = \"dpo\"\nreference = \"frozen\"");
  std::ofstream pairs(folder.path() / "pairs.jsonl");
  for (int i = 0; i < 20; ++i)
    pairs << R"({"prompt":")" << i << R"(=","chosen":"1","rejected":"2"})"
          << "\n";
  pairs.close();
  const auto read = test::lines(test::run_tiny(offline).metrics);
  REQUIRE(read.size() == 8);
  CHECK(read.front()["loss"].get<double>() == Approx(std::log(2.0)).epsilon(1e-4));
  CHECK(read.back()["loss"] < read.front()["loss"]);
  CHECK(read.back()["accuracy"] == 1.0);
}

TEST_CASE("of several references each answers to its own lines, and every line must have one") {
  const test::scratch folder;
  test::write_tiny_data(folder.path());
  const auto write_prompts = [&](const char *second) {
    std::ofstream prompts(folder.path() / "prompts.jsonl");
    for (int i = 0; i < 20; ++i)
      prompts << R"({"prompt":")" << i << R"(=","answer":")" << i << R"(","teacher":")"
              << (i % 2 == 0 ? "even" : second) << "\"}\n";
  };
  write_prompts("odd");
  const auto reference = [](const std::string &name, const std::string &keys) {
    return "[actors." + name + "]\nkind = \"reference\"\ntakes = \"sampler\"\nmodel = \"frozen\"\n" + keys;
  };
  const auto topology = [&](const std::string &even, const std::string &odd) {
    auto text = with(folder, "grpo", "ppo", "kl = 0.1\n");
    text = replaced(text, "takes = \"near\"", "takes = [\"near\", \"even\", \"odd\"]");
    return replaced(text, "[actors.prompts]",
                    frozen + reference("even", even) + reference("odd", odd) + "[actors.prompts]");
  };
  const auto both = topology("teaches = \"even\"\n", "teaches = \"odd\"\nreplicas = 2\n");
  const auto left = test::run_tiny(both);
  CHECK(left.result["ledger"]["trained"] == 32);
  CHECK(test::lines(left.metrics).back().contains("kl"));
  registry kinds;
  register_builtin(kinds);
  const auto refused = [&](const std::string &text, const char *said) {
    CHECK_THROWS_WITH(
        preflight(make_topology(parse_document(text, "tiny.toml"), "tiny.toml"), kinds).verify(),
        Contains(said));
  };
  refused(topology("", "teaches = \"odd\"\n"), "would both answer to a line");
  refused(topology("teaches = \"odd\"\n", "teaches = \"odd\"\n"), "would both answer to a line");
  write_prompts("strange");
  refused(both, "no reference teaches = \"strange\"; there are even and odd");
  write_prompts("");
  refused(both, "the line has no \"teacher\"");
}

TEST_CASE("a policy comes nearer to a teacher that it answers for, token by token") {
  const test::scratch folder;
  test::write_tiny_data(folder.path());
  const auto distilled = [&](const std::string &name, const std::string &alphabet, const std::string &keys) {
    auto text = test::tiny_topology{.folder = folder.path().string(), .name = name, .updates = 12}.grpo();
    text = replaced(text, "kind = \"advantage.grpo\"\ntakes = \"near\"",
                    "kind = \"advantage.on_policy_distillation\"\ntakes = [\"near\", \"teacher\"]\n" + keys);
    text = replaced(text, "loss = \"decoupled_ppo\"", "loss = \"on_policy_distillation\"");
    const std::string model = "[models.teacher]\narchitecture = \"llama\"\nalphabet = \"" + alphabet +
                              "\"\nhidden_size = 32\nintermediate_size = 24\nlayers = 1\nheads = 2\n"
                              "max_positions = 24\ninitializer_range = 0.5\n";
    const std::string teacher =
        "[actors.teacher]\nkind = \"reference\"\ntakes = \"sampler\"\nmodel = \"teacher\"\n";
    return replaced(text, "[actors.prompts]", model + teacher + "[actors.prompts]");
  };
  const auto left = test::lines(test::run_tiny(distilled("near", "0123456789=", "clip = 3\n")).metrics);
  REQUIRE(left.size() == 12);
  CHECK(left.back()["reward_mean"] > left.front()["reward_mean"]);
  CHECK(left.back()["kl"] < left.front()["kl"]);
  CHECK(left.back().contains("reward.near"));  // measured, and no part of the advantage
  CHECK(left.back().contains("weight_capped_fraction"));
  registry kinds;
  register_builtin(kinds);
  const auto strange = distilled("strange", "0123456789=+", "");
  CHECK_THROWS_WITH(
      preflight(make_topology(parse_document(strange, "tiny.toml"), "tiny.toml"), kinds).verify(),
      Contains("a teacher needs its student's tokenizer"));
}

TEST_CASE("keys that do not go together are refused with a mend") {
  const test::scratch folder;
  test::write_tiny_data(folder.path());
  registry kinds;
  register_builtin(kinds);
  const auto refused = [&](const std::string &text, const char *said) {
    CHECK_THROWS_WITH(
        preflight(make_topology(parse_document(text, "tiny.toml"), "tiny.toml"), kinds).verify(),
        Contains(said));
  };
  refused(with(folder, "grpo", "ppo", "proximal = \"interpolated\"\n"), "has no proximal policy");
  refused(with(folder, "grpo", "m2po", "proximal = \"interpolated\"\n"), "write proximal = \"recomputed\"");
  refused(with(folder, "grpo", "ppo", "kl_target = 0.1\n"), "give its first value as kl = 0.05");
  refused(with(folder, "grpo", "ppo", "reference = \"policy\"\n"), "leave it out");
  refused(with(folder, "grpo", "ppo", "reference = \"nobody\"\n"), "which the file does not have");
  refused(with(folder, "reinforce_pp", "ppo", "", "kl_in_reward = 0.1\n"), "kl_in_reward needs a reference");
  refused(replaced(with(folder, "grpo", "dpo"), "kind = \"advantage.grpo\"", "kind = \"pairs\""),
          "compares with a reference");
}
