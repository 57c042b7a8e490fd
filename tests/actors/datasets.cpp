#include <ATen/core/Tensor.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "actors/kinds/evaluator_plan.hpp"
#include "actors/preflight.hpp"
#include "actors/registry.hpp"
#include "models/error.hpp"
#include "runtime/evaluation/evaluation.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"
#include "tests/support/tiny_topology.hpp"

using namespace slipstream;
using test::Contains;
using test::scratch;

namespace {

struct outcome {
  std::vector<std::string> notes;
  nlohmann::json eval;  ///< of the fresh model, where there is an evaluator
};

/// Verifies a topology, with `loader` among the loader's keys, and evaluates the fresh model.
outcome verified(std::string text, const std::string &loader, const std::string &evaluator = "") {
  const std::string anchor = "kind = \"loader\"\n";
  text.insert(text.find(anchor) + anchor.size(), loader);
  registry kinds;
  register_builtin(kinds);
  preflight plan(make_topology(parse_document(text + evaluator, "t.toml"), "t.toml"), kinds);
  plan.verify();
  outcome result{plan.notes(), {}};
  for (const auto &actor : plan.graph().actors) {
    if (!is_evaluator(plan, actor)) continue;
    const auto work = plan.plan_of(actor).evaluate(plan, plan.models().load("policy"));
    while (work->step()) {
    }
    result.eval = work->result();
  }
  return result;
}

std::string sft(const scratch &folder) {
  return test::tiny_topology{.folder = folder.path().string()}.sft();
}

}  // namespace

TEST_CASE("lines longer than the context are errors, or left out and counted, or cut") {
  const scratch folder;
  folder.write("demonstrations.jsonl",
               R"({"prompt":"1=","response":"1"}
{"prompt":"1=","response":"123456789012345678901234567890"}
)");
  CHECK_THROWS_WITH(verified(sft(folder), ""), Contains("demonstrations.jsonl:2: error: ") &&
                                                   Contains("needs 33 tokens") &&
                                                   Contains("too_long = \"drop\""));
  const auto dropped = verified(sft(folder), "too_long = \"drop\"\n").notes;
  REQUIRE(dropped.size() == 1);
  CHECK_THAT(dropped[0], Contains("1 of 2 lines"));
  CHECK(verified(sft(folder), "too_long = \"truncate\"\n").notes.empty());
  folder.write("demonstrations.jsonl", R"({"prompt":"1234567890123456789012345=","response":"1"})");
  CHECK_THROWS_WITH(verified(sft(folder), "too_long = \"truncate\"\n"), Contains("needs 28 tokens"));
  CHECK_THROWS_WITH(verified(sft(folder), "too_long = \"drop\"\n"), Contains("all lines are longer"));
}

TEST_CASE("fields and formats of a topology reach the reader, and their faults name the place") {
  const scratch folder;
  folder.write("demonstrations.jsonl", R"({"ask":"1=","say":"1","score":3})");
  CHECK_THROWS_WITH(verified(sft(folder), ""), Contains("demonstrations.jsonl:1: error: "));
  const std::string named =
      "format = \"demonstrations\"\nfields = { prompt = \"ask\", response = \"say\" }\n";
  CHECK_NOTHROW(verified(sft(folder), named));
  CHECK_THROWS_WITH(verified(sft(folder), "fields = { promt = \"ask\" }\n"),
                    Contains("t.toml:") && Contains("Did you mean \"prompt\"?"));
  CHECK_THROWS_WITH(verified(sft(folder), "fields = \"ask\"\n"), Contains("fields is a table"));
  CHECK_THROWS_WITH(verified(sft(folder), "format = \"alpac\"\n"), Contains("alpaca"));
}

TEST_CASE("a topology names several files and patterns, and hears of fields that are not read") {
  const scratch folder;
  folder.write("parts/b.jsonl", R"({"prompt":"1=","response":"1","id":7})");
  folder.write("parts/a.json", R"([{"prompt":"2=","response":"2"}])");
  const auto with = [&](const std::string &dataset) {
    auto text = sft(folder);
    const std::string key = "dataset = ";
    const auto at = text.find(key) + key.size();
    return verified(text.replace(at, text.find('\n', at) - at, dataset), "").notes;
  };
  const auto quoted = [&](const std::string &name) { return "\"" + (folder / name).string() + "\""; };
  CHECK(with(quoted("parts/a.json")).empty());
  const auto notes = with("[" + quoted("parts/*.json") + ", " + quoted("parts/b.jsonl") + "]");
  REQUIRE(notes.size() == 1);
  CHECK_THAT(notes[0], Contains("a.json and 1 more file: fields that are not read: id"));
  CHECK_THROWS_WITH(with("[]"), Contains("t.toml:") && Contains("dataset"));
  CHECK_THROWS_WITH(with("\"\""), Contains("t.toml:") && Contains("empty name"));
  CHECK_THROWS_WITH(with(quoted("parts/*.txt")), Contains("no data file matches"));
  folder.write("parts/b.jsonl", R"({"prompt":"1=","answer":"1"})");
  CHECK_THROWS_WITH(with(quoted("parts/*")), Contains("b.jsonl:1: error: the file holds prompts"));
}

TEST_CASE("dialogues are written by the chat template that the topology names or gives as pieces") {
  const scratch folder;
  folder.write("demonstrations.jsonl",
               R"({"messages":[{"role":"user","content":"12"},{"role":"assistant","content":"21"}]})");
  const std::string pieces = "chat = { user = [\"0\", \"=\"], assistant = [\"\", \"=\"] }\n";
  CHECK_NOTHROW(verified(sft(folder), pieces));
  CHECK_THROWS_WITH(verified(sft(folder), ""), Contains("no id for the character"));  // plain: "\n"
  CHECK_THROWS_WITH(verified(sft(folder), "chat = \"chatlm\"\n"), Contains("t.toml:") && Contains("chatml"));
  CHECK_THROWS_WITH(verified(sft(folder), "chat = { user = [\"0\", \"=\"] }\n"),
                    Contains("assistant is missing"));
  CHECK_THROWS_WITH(verified(sft(folder), "chat = { user = \"0\" }\n"), Contains("before and after"));
  folder.write("own.jinja", "{{ messages | length }}{% for m in messages %}{{ m.content }}{% endfor %}");
  folder.write("wrong.jinja", "\n{% frob %}");
  const auto file = [&](const std::string &name) {
    return "chat = \"" + (folder.path() / name).string() + "\"\n";
  };
  CHECK_THROWS_WITH(verified(sft(folder), file("own.jinja")),
                    Contains("demonstrations.jsonl:1: error: which part of message 2"));
  folder.write(
      "own.jinja",
      "{% for m in messages %}{{ '0' ~ m.content }}{% endfor %}{% if add_generation_prompt %}0{% endif %}");
  CHECK_NOTHROW(verified(sft(folder), file("own.jinja")));
  CHECK_THROWS_WITH(verified(sft(folder), file("wrong.jinja")),
                    Contains("wrong.jinja:2:4: error: the statement \"frob\""));
  CHECK_THROWS_WITH(verified(sft(folder), "chat = \"template:rag\"\n"), Contains("none is named rag"));
}

TEST_CASE("evaluator.lines tries a model on held-out lines of the learner's kind") {
  const scratch folder;
  test::write_tiny_data(folder.path());
  const std::string lines =
      "[actors.heldout]\nkind = \"evaluator.lines\"\ntakes = \"learner\"\ndataset = \"" +
      folder.path().string();
  const auto loss = verified(sft(folder), "", lines + "/demonstrations.jsonl\"\n").eval;
  CHECK(loss["lines"] == 20);
  CHECK(loss["loss"] == Approx(std::log(14)).margin(0.3));  // a fresh model knows nothing of 14 tokens
  CHECK_THROWS_WITH(verified(sft(folder), "", lines + "/prompts.jsonl\"\n"),
                    Contains("dataset holds prompts") && Contains("demonstrations"));
}

TEST_CASE("evaluator.lines ranks pairs and correlates scores, each sequence computed once") {
  const scratch folder;
  auto text = sft(folder);
  const auto change = [&](const std::string &from, const std::string &to) {
    text.replace(text.find(from), from.size(), to);
  };
  change("max_positions = 24\n", "max_positions = 24\nhead = \"score\"\n");
  change("loss = \"sft\"", "loss = \"reward_pairs\"");
  const std::string lines =
      "[actors.heldout]\nkind = \"evaluator.lines\"\ntakes = \"learner\"\ndataset = \"" +
      folder.path().string() + "/demonstrations.jsonl\"\n";
  folder.write("demonstrations.jsonl", R"({"chosen":"1","rejected":"2"}
{"chosen":"2","rejected":"1"}
{"chosen":"1","rejected":"2"}
{"chosen":"2","rejected":"1"}
)");
  const auto pairs = verified(text, "", lines).eval;
  CHECK(pairs["pairs"] == 4);
  CHECK(pairs["accuracy_pairs"] == 0.5);  // whichever of the two scores higher
  CHECK(pairs["margin_mean"] == Approx(0).margin(1e-12));
  change("loss = \"reward_pairs\"", "loss = \"reward_scores\"");
  folder.write("demonstrations.jsonl", R"({"text":"1","score":0}
{"text":"22","score":0}
{"text":"1","score":0}
)");
  const auto scores = verified(text, "", lines).eval;
  CHECK(scores["lines"] == 3);
  CHECK(scores["pearson"] == 0);  // the ratings do not vary
  CHECK(scores["mse"] >= 0);
}
