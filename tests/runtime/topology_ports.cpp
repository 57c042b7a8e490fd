#include "models/error.hpp"
#include "runtime/topology/check.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using Catch::Matchers::StartsWith;
using test::Contains;

namespace {

const kind_table kinds{
    {"loader", {{}, "examples"}},
    {"sampler", {{"examples"}, "rollouts"}},
    {"scorer.exact_match", {{"rollouts"}, "scores"}},
    {"scorer.model", {{"rollouts"}, "scores"}},
    {"reference", {{"rollouts"}, "logprobs"}},
    {"advantage.grpo", {{"scores", "logprobs"}, "samples", {"scores"}}},
    {"learner", {{"samples", "examples"}, ""}},
    {"evaluator", {{"examples"}, "", {}, true}},
    {"meter", {{"rollouts"}, "figures", {}, false, true}},
};

std::string verdict(const std::string &actors) {
  const auto text = "[run]\nname = \"r\"\nupdates = 1\n[schedule]\nbatch = 8\n" + actors;
  const auto graph = make_topology(parse_document(text, "t.toml"), "t.toml");
  try {
    check_ports(graph, kinds);
  } catch (const input_error &error) {
    return error.what();
  }
  return "sound";
}

std::string actor(const std::string &name, const std::string &kind, const std::string &takes = "") {
  return "[actors." + name + "]\nkind = \"" + kind + "\"\n" +
         (takes.empty() ? "" : "takes = " + takes + "\n");
}

const std::string head = actor("prompts", "loader") + actor("sampler", "sampler", "\"prompts\"");
const std::string scorer = actor("correct", "scorer.exact_match", "\"sampler\"");

}  // namespace

TEST_CASE("sound graphs pass") {
  CHECK(verdict(actor("data", "loader") + actor("learner", "learner", "\"data\"")) == "sound");
  CHECK(verdict(head + scorer + actor("reference", "reference", "\"sampler\"") +
                actor("advantage", "advantage.grpo", "[\"correct\", \"reference\"]") +
                actor("learner", "learner", "\"advantage\"") + actor("eval", "evaluator") +
                actor("meter", "meter", "\"sampler\"")) == "sound");
}

TEST_CASE("an edge between different ports names what to put between") {
  CHECK(verdict(head + scorer + actor("learner", "learner", "[\"correct\"]")) ==
        "t.toml:16:10: error: [actors.learner] takes \"correct\", which gives scores; a learner takes "
        "samples or "
        "examples. Put an advantage actor between them.");
  CHECK_THAT(verdict(head + actor("learner", "learner", "\"sampler\"")),
             Contains("Put a scorer and an advantage actor between them."));
  CHECK_THAT(verdict(actor("prompts", "loader") + actor("sampler", "sampler", "\"a\"") +
                     actor("b", "scorer.model", "\"sampler\"") + actor("a", "advantage.grpo", "\"c\"") +
                     actor("c", "scorer.model", "\"prompts\"") + actor("learner", "learner", "\"b\"")),
             Contains("takes \"a\"") || Contains("cycle"));
  CHECK_THAT(verdict(head + scorer + actor("again", "sampler", "\"correct\"") +
                     actor("learner", "learner", "\"x\"") + actor("x", "loader")),
             StartsWith("t.toml:16:9: error: ") && Contains("Take from an actor that gives examples."));
}

TEST_CASE("unknown kinds come with a suggestion and the list") {
  CHECK_THAT(
      verdict(actor("data", "laoder") + actor("learner", "learner", "\"data\"")),
      StartsWith("t.toml:7:8: error: [actors.data] there is no kind \"laoder\". Did you mean \"loader\"?") &&
          Contains("scorer.model"));
}

TEST_CASE("missing inputs, dead ends and graphs that do not learn are refused") {
  CHECK_THAT(verdict(actor("data", "loader") + actor("learner", "learner")),
             StartsWith("t.toml:8:1: error: [actors.learner] takes nothing") &&
                 Contains("add \"data\" to its takes"));
  CHECK_THAT(verdict(actor("data", "loader", "\"learner\"") + actor("learner", "learner")),
             StartsWith("t.toml:8:9: error: ") && Contains("a loader takes nothing; remove takes"));
  CHECK_THAT(verdict(head + actor("learner", "learner", "\"prompts\"")),
             StartsWith("t.toml:8:1: error: ") && Contains("\"sampler\" (rollouts) goes nowhere"));
  CHECK_THAT(verdict(actor("data", "loader") + actor("eval", "evaluator", "\"data\"")),
             StartsWith("t.toml: error: no actor learns") && Contains("kind = \"learner\""));
  CHECK_THAT(verdict(actor("data", "loader") + actor("learner", "learner", "\"data\"") +
                     actor("eval", "evaluator", "\"learner\"")),
             Contains("a learner gives nothing; take from an actor that gives examples"));
  CHECK_THAT(verdict(head + actor("reference", "reference", "\"sampler\"") +
                     actor("advantage", "advantage.grpo", "\"reference\"") +
                     actor("learner", "learner", "\"advantage\"")),
             StartsWith("t.toml:16:9: error: [actors.advantage] gets no scores") &&
                 Contains("add an actor that gives scores"));
}

TEST_CASE("bridges are as short as the kinds allow") {
  CHECK(bridge(kinds, "rollouts", {"samples"}) ==
        std::vector<std::string>{"scorer.exact_match", "advantage.grpo"});
  CHECK(bridge(kinds, "scores", {"samples"}) == std::vector<std::string>{"advantage.grpo"});
  CHECK(bridge(kinds, "samples", {"rollouts"}).empty());
}
