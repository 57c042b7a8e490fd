#include "runtime/kinds/kinds.hpp"

#include "models/error.hpp"
#include "runtime/kinds/learner_keys.hpp"
#include "runtime/kinds/sampler_keys.hpp"
#include "runtime/topology/resolved.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using test::Contains;

namespace {

const std::string actors = R"(
[actors]
prompts = { kind = "loader", dataset = "lines.jsonl" }
sampler = { kind = "sampler", takes = "prompts", model = "policy", group = 4, temperature = 0.5 }
right = { kind = "scorer.exact_match", takes = "sampler" }
advantage = { kind = "advantage.grpo", takes = "right" }
learner = { kind = "learner", takes = "advantage", model = "policy", loss = "decoupled_ppo", learning_rate = 1e-3 }
)";

std::string with(const std::string &schedule, const std::string &more = "") {
  return "run = { name = \"r\", updates = 1 }\nschedule = { batch = 8, " + schedule +
         " }\nmodels.policy = { architecture = \"llama\", alphabet = \"abc\", hidden_size = 8, layers = 1, "
         "heads = 1 }\n" +
         actors + more;
}

topology read(const std::string &text) {
  return make_topology(parse_document(text, "test.toml"), "test.toml");
}

checked_topology checked(const std::string &text, const kind_rows &kinds = builtin_kinds(),
                         const order_table &orders = builtin_orders()) {
  return {read(text), kinds, orders};
}

/// A kind as a program would add it: one more scorer, and one more sampler that another learner feeds on.
kind_row own(const std::string &name, const char *accepts, const char *gives) {
  kind_row row;
  row.name = name;
  row.ports.accepts = {accepts};
  row.ports.gives = gives;
  row.read = [](actor_config &config) { config.settings().finish(); };
  return row;
}

order_row every_other(order_table &seen) {
  order_row row;
  row.name = "stride";
  row.keys = {"window"};
  row.numbers = {{"stride", 1, 1, 8}, {"share", 0.5, 0, 1, false}};
  row.with_numbers = [&seen, row](const std::map<std::string, double> &numbers) {
    auto made = row;
    made.summary = std::to_string(numbers.at("stride")) + " " + std::to_string(numbers.at("share"));
    made.lead = [](const schedule_rules &rules, std::int64_t) {
      return std::pair{rules.max_staleness, std::string("a test")};
    };
    seen[made.name] = made;
    return made;
  };
  return row;
}

}  // namespace

TEST_CASE("roles follow from what kinds take and give") {
  for (const auto &[name, row] : builtin_kinds()) {
    const auto role = role_of(row.ports);
    INFO(name);
    CHECK((name == "loader") == (role == actor_role::loader));
    CHECK((name == "sampler") == (role == actor_role::sampler));
    CHECK((name == "learner") == (role == actor_role::learner));
    CHECK((name == "critic") == (role == actor_role::critic));
    CHECK((name == "reference") == (role == actor_role::reference));
    CHECK(name.starts_with("scorer.") == (role == actor_role::scorer));
    CHECK((name.starts_with("advantage.") || name == "pairs") == (role == actor_role::joiner));
    CHECK(name.starts_with("evaluator.") == (role == actor_role::other));
  }
  CHECK(role_of(own("mine", port::rollouts, port::scores).ports) == actor_role::scorer);
  CHECK(role_of(own("delay", port::rollouts, port::rollouts).ports) == actor_role::other);
}

TEST_CASE("what an actor's keys say is read once and known by type") {
  const auto plan = checked(with("max_staleness = 1"));
  const auto &sampler = *plan.graph().find_actor("sampler");
  CHECK(sampler.facts.group == 4);
  CHECK(sampler.facts.temperature == 0.5);
  CHECK(sampler.keys.get<sampler_keys>().slots == 64);
  CHECK_THROWS_AS(sampler.keys.get<learner_keys>(), std::logic_error);
  CHECK(plan.learner().keys.get<learner_keys>().objective->name == "decoupled_ppo");
  CHECK(plan.learner().name == "learner");
  CHECK(plan.loader().name == "prompts");
  CHECK(plan.group() == 4);
  CHECK(plan.samples_own_policy());
  CHECK(plan.upstream(plan.learner(), actor_role::scorer)->name == "right");
  CHECK(followed_learner(plan, sampler) == &plan.learner());
  CHECK(plan.staleness_bound() == 1);
}

TEST_CASE("kinds that a program adds take their part by their ports and by what their keys tell") {
  auto kinds = builtin_kinds();
  auto mine = own("my.sampler", port::examples, port::rollouts);
  mine.read = [](actor_config &config) {
    auto s = config.settings();
    config.facts.model = s.required_text("model");
    config.facts.group = s.integer("answers", 2);
    config.facts.follows = true;
    s.finish();
  };
  kinds["my.sampler"] = mine;
  auto text = with("max_staleness = 1");
  const std::string before =
      "kind = \"sampler\", takes = \"prompts\", model = \"policy\", group = 4, temperature = 0.5";
  text.replace(text.find(before), before.size(),
               "kind = \"my.sampler\", takes = \"prompts\", model = \"policy\", answers = 2");
  const auto plan = checked(text, kinds);
  CHECK(plan.group() == 2);
  CHECK(plan.samples_own_policy());
  CHECK(followed_learner(plan, *plan.graph().find_actor("sampler")) == &plan.learner());
}

TEST_CASE("a model that is not there and groups that do not fit are named with their place") {
  const auto wrong = [](std::string text, const std::string &from, const std::string &to) {
    text.replace(text.find(from), from.size(), to);
    return text;
  };
  CHECK_THROWS_WITH(
      checked(wrong(with("max_staleness = 1"), "model = \"policy\", group", "model = \"polcy\", group")),
      Contains("test.toml:7:") && Contains("uses the model \"polcy\"") &&
          Contains("Did you mean \"policy\"?"));
  CHECK_THROWS_WITH(checked(wrong(with("max_staleness = 1"), "batch = 8", "batch = 9")),
                    Contains("batch = 9 is not divisible by group = 4 of [actors.sampler] (test.toml:7:") &&
                        Contains("set batch to 8 or 12"));
  auto document = parse_document(with("max_staleness = 1"), "test.toml");
  apply_override(document, "actors.sampler.group=7");
  CHECK_THROWS_WITH(checked_topology(make_topology(document, "test.toml"), builtin_kinds(), builtin_orders()),
                    Contains("group = 7 of [actors.sampler] (--set actors.sampler.group)"));
}

TEST_CASE("an order that a program adds takes the keys and numbers that it declares") {
  order_table seen, orders = builtin_orders();
  orders["stride"] = every_other(seen);
  const auto schedule = std::string("max_staleness = 2, order = \"stride\", window = 3, stride = 2");
  const auto plan = checked(with(schedule), builtin_kinds(), orders);
  CHECK(plan.rules().window.first == 3);
  CHECK(plan.order().summary == "2.000000 0.500000");
  const auto again = write_resolved(plan.graph());
  CHECK_THAT(again, Contains("window = 3") && Contains("stride = 2\n") && Contains("share = 0.5\n"));
  CHECK(checked(again, builtin_kinds(), orders).order().summary == "2.000000 0.500000");

  const auto refused = [&](const std::string &keys, const std::string &said) {
    CHECK_THROWS_WITH(
        checked(with("max_staleness = 2, order = \"stride\", " + keys), builtin_kinds(), orders),
        Contains(said));
  };
  refused("stride = 9", "stride");
  refused("share = 2.0", "share");
  refused("strid = 2", "unknown key \"strid\"");
  refused("when_late = \"drop\"", "when_late belongs to order = \"completion\"");
  CHECK_THROWS_WITH(checked(with("max_staleness = 2, stride = 2")), Contains("unknown key \"stride\""));
}

TEST_CASE("each order of the library takes its own keys and no others") {
  CHECK_NOTHROW(read(with("order = \"windowed\", window = 2")));
  CHECK_NOTHROW(read(with("order = \"completion\", when_late = \"drop\", late_after = 1")));
  CHECK_THROWS_WITH(read(with("window = 2")),
                    Contains("window belongs to order = \"windowed\"") && Contains("\"strict\""));
  CHECK_THROWS_WITH(read(with("order = \"windowed\", late_after = 1")),
                    Contains("belongs to order = \"completion\""));
}
