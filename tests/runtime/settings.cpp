#include "runtime/topology/settings.hpp"

#include "models/error.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using Catch::Matchers::StartsWith;
using test::Contains;

namespace {

settings reader(const std::string &lines) {
  return settings(*parse_document("[actors.sampler]\n" + lines, "f.toml").find("actors")->find("sampler"));
}

}  // namespace

TEST_CASE("settings read given values and defaults") {
  auto s = reader(
      "group = 8\nrate = 2\nname = \"x\"\non = true\norder = \"b\"\ntakes = [\"p\", \"q\"]\none = \"p\"\n"
      "weights = { a = 1 }\n");
  CHECK(s.integer("group", 1, 1, 8) == 8);
  CHECK(s.integer("replicas", 3) == 3);
  CHECK(s.number("rate", 0.5) == 2.0);
  CHECK(s.number("other_rate", 0.5, 0.0, 1.0) == 0.5);
  CHECK(s.required_text("name") == "x");
  CHECK(s.flag("on", false));
  CHECK(s.choice("order", {"a", "b"}) == "b");
  CHECK(s.choice("other_order", {"a", "b"}) == "a");
  CHECK(s.texts("takes") == std::vector<std::string>{"p", "q"});
  CHECK(s.required_texts("one") == std::vector<std::string>{"p"});
  CHECK(s.texts("nobody").empty());
  CHECK(s.find("weights")->as_table()->size() == 1);
  s.finish();
  CHECK(s.resolved().find("weights")->as_table()->size() == 1);
  CHECK(*s.resolved().find("replicas")->as_integer() == 3);
  CHECK(std::get<double>(s.resolved().find("rate")->value) == 2.0);
  CHECK(s.resolved().find("takes")->as_array()->size() == 2);
}

TEST_CASE("wrong types name file, line, column, table, key and the mend") {
  auto s = reader(
      "group = \"8\"\nrate = true\nname = 5\non = 1\norder = \"strickt\"\ntakes = [\"p\", 3]\nempty = \"\"\n"
      "none = []\nbig = 9\nnan = nan\n");
  CHECK_THROWS_WITH(
      s.integer("group", 1, 1),
      "f.toml:2:9: error: [actors.sampler] group must be an integer of at least 1, not the string "
      "\"8\"; write it without quotes or a point, as in group = 1");
  CHECK_THROWS_WITH(s.number("rate", 1),
                    StartsWith("f.toml:3:8: error: [actors.sampler] rate must be a number, not "));
  CHECK_THROWS_WITH(s.text("name", ""), Contains("f.toml:4:8") && Contains("put it in quotes"));
  CHECK_THROWS_WITH(s.flag("on", true),
                    Contains("f.toml:5:6") && Contains("true or false, not the integer 1"));
  CHECK_THROWS_WITH(s.choice("order", {"strict", "windowed"}), Contains("Did you mean \"strict\"?"));
  CHECK_THROWS_WITH(s.texts("takes"),
                    StartsWith("f.toml:7:15: error: [actors.sampler] takes must be a string or an"));
  CHECK_THROWS_WITH(s.required_text("empty"), Contains("empty is empty"));
  CHECK_THROWS_WITH(s.required_texts("none"), Contains("name at least one"));
  CHECK_THROWS_WITH(s.integer("big", 1, 1, 8), Contains("an integer from 1 to 8, not 9"));
  CHECK_THROWS_WITH(s.integer("big", 1, settings::lowest, 8), Contains("of at most 8"));
  CHECK_THROWS_WITH(s.number("nan", 1.0), Contains("finite number"));
  CHECK_THROWS_WITH(s.number("big", 1.0, 0.0, 1.0), Contains("from 0 to 1"));
  CHECK_THROWS_AS(s.number("nan", 1.0), input_error);
}

TEST_CASE("a missing key is reported at its table") {
  auto s = reader("group = 1\n");
  CHECK_THROWS_WITH(s.required_integer("steps", 2, 9),
                    StartsWith("f.toml:1:1: error: [actors.sampler] steps is "
                               "missing; add a line such as steps = 2"));
  CHECK_THROWS_WITH(s.required_number("rate"), Contains("rate is missing"));
  CHECK_THROWS_WITH(s.required_text("name"), Contains("name is missing"));
  CHECK_THROWS_WITH(s.required_choice("order", {"a"}), Contains("order = \"a\""));
}

TEST_CASE("keys that nobody asked for are unknown") {
  auto s = reader("group = 1\ngruop = 2\n");
  s.integer("group", 1);
  s.integer("model", 1);
  CHECK_THROWS_WITH(s.finish(),
                    "f.toml:3:1: error: unknown key \"gruop\" in [actors.sampler]. Did you mean "
                    "\"group\"? Known keys: group and model");
}

TEST_CASE("what is no table cannot be read") {
  const auto root = parse_document("run = 3\n", "f.toml");
  CHECK_THROWS_WITH(settings(*root.find("run")),
                    StartsWith("f.toml:1:7: error: run must be a table, not the integer 3"));
}
