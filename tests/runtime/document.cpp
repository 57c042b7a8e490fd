#include "runtime/topology/document.hpp"

#include "models/error.hpp"
#include "runtime/topology/suggest.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using Catch::Matchers::StartsWith;
using test::Contains;

TEST_CASE("a document keeps the order, the places and the paths of its file") {
  const auto root = parse_document("[z]\nb = 1\na = [\"x\", 2.5, true]\n[a.deep]\nk = \"v\"\n", "f.toml");
  REQUIRE(root.as_table()->size() == 2);
  CHECK(root.as_table()->at(0).key == "z");
  CHECK(root.as_table()->at(1).key == "a");
  const node &z = *root.find("z");
  CHECK(z.as_table()->at(0).key == "b");
  CHECK(to_string(z.find("a")->at) == "f.toml:3:5");
  CHECK(to_string(z.find("a")->as_array()->at(1).at) == "f.toml:3:11");
  CHECK(std::get<double>(z.find("a")->as_array()->at(1).value) == 2.5);
  CHECK(std::get<bool>(z.find("a")->as_array()->at(2).value));
  CHECK(root.find("a")->find("deep")->path == "a.deep");
  CHECK(to_string(root.find("a")->find("deep")->as_table()->at(0).at) == "f.toml:5:1");
  CHECK(root.find("nothing") == nullptr);
  CHECK(z.find("b")->find("below a value") == nullptr);
}

TEST_CASE("syntax errors name file, line and column") {
  CHECK_THROWS_WITH(parse_document("[run]\nname = \"a\nseed = 1\n", "f.toml"),
                    StartsWith("f.toml:2:10: error: "));
  CHECK_THROWS_WITH(parse_document("a = 1\na = 2\n", "f.toml"), StartsWith("f.toml:2:5: error: "));
  CHECK_THROWS_WITH(parse_document("[t]\n[t]\n", "f.toml"), StartsWith("f.toml:2:1: error: "));
  CHECK_THROWS_WITH(parse_document("a = 2024-01-01\n", "f.toml"),
                    "f.toml:1:5: error: dates and times have no meaning "
                    "in a topology; put the value in quotes");
  CHECK_THROWS_WITH(fail_at({"f", 1, 2}, "a\n\x01"), "f:1:2: error: a\\x0A\\x01");
  const auto deep = "a = " + std::string(100, '[') + std::string(100, ']');
  CHECK_THROWS_WITH(parse_document(deep, "f.toml"), Contains("nested too deeply"));
}

TEST_CASE("a document of any depth is refused where it gets too deep") {
  std::string keys = "a", tables = "{b=1}";
  for (int i = 1; i < 50'000; ++i) keys += ".a";
  for (int i = 1; i < 50'000; ++i) tables = "{a=" + std::move(tables);
  CHECK_THROWS_WITH(parse_document("[" + keys + "]\nb = 1\n", "f.toml"),
                    StartsWith("f.toml:1:129: error: values are nested too deeply"));
  CHECK_THROWS_WITH(parse_document("[b]\n" + keys + " = 1\n", "f.toml"),
                    StartsWith("f.toml:2:130: error: values are nested too deeply"));
  CHECK_THROWS_WITH(parse_document("a = " + tables + std::string(50'000, '}'), "f.toml"),
                    Contains("nested too deeply"));
  CHECK_THROWS_WITH(parse_document("a = " + std::string(50'000, '['), "f.toml"),
                    Contains("nested too deeply"));
  auto root = parse_document("[run]\nseed = 1\n", "f.toml");
  CHECK_THROWS_WITH(apply_override(root, "run.seed={" + keys + "=1}"),
                    StartsWith("--set run.seed: error: values are nested too deeply"));
}

TEST_CASE("dots and brackets in texts, comments and numbers are no depth") {
  const std::string dots(100, '.'), open(100, '[');
  std::string numbers;
  for (int i = 0; i < 100; ++i) numbers += "1.5,\n";
  std::string text = "# " + open + dots + "\na = \"\\\"" + open + "\"\nb = '" + dots + "'\n";
  text += "c = \"\"\"x\"\"" + open + "\n\"\"\"\"\nd = '''\n'" + open + "'''\n";
  text += "e = [" + numbers + "]\n";
  const auto root = parse_document(text, "f.toml");
  CHECK(*root.find("a")->as_text() == "\"" + open);
  CHECK(*root.find("b")->as_text() == dots);
  CHECK(*root.find("c")->as_text() == "x\"\"" + open + "\n\"");
  CHECK(*root.find("d")->as_text() == "'" + open);
  CHECK(root.find("e")->as_array()->size() == 100);
}

TEST_CASE("files that cannot be read are named") {
  const test::scratch folder;
  CHECK_THROWS_WITH(read_document(folder / "none.toml"), Contains("none.toml: error: there is no such file"));
  CHECK_THROWS_WITH(read_document(folder.path()), Contains("error: this is not a file"));
  const auto large = folder.write("large.toml", std::string((1 << 20) + 1, '\n'));
  CHECK_THROWS_WITH(read_document(large), Contains("at most 1 MiB"));
}

TEST_CASE("overrides are TOML values or bare words") {
  auto root = parse_document("[run]\nseed = 1\n", "f.toml");
  const auto set = [&](const char *assignment) { apply_override(root, assignment); };
  set("run.seed=7");
  set("run.name=quick-start");
  set("run.note=2024-01-01");
  set("run.rate=1e-4");
  set("run.on=true");
  set("run.equation=a=b");
  set("run.empty=");
  set("actors.new.takes=[\"a\", \"b\"]");
  const node &run = *root.find("run");
  CHECK(*run.find("seed")->as_integer() == 7);
  CHECK(to_string(run.find("seed")->at) == "--set run.seed");
  CHECK(*run.find("name")->as_text() == "quick-start");
  CHECK(*run.find("note")->as_text() == "2024-01-01");
  CHECK(std::get<double>(run.find("rate")->value) == 1e-4);
  CHECK(std::get<bool>(run.find("on")->value));
  CHECK(*run.find("equation")->as_text() == "a=b");
  CHECK(run.find("empty")->as_text()->empty());
  const node &takes = *root.find("actors")->find("new")->find("takes");
  CHECK(takes.path == "actors.new.takes");
  CHECK(to_string(takes.as_array()->at(1).at) == "--set actors.new.takes");
}

TEST_CASE("overrides that cannot be meant are refused") {
  auto root = parse_document("[run]\nseed = 1\n", "f.toml");
  for (const char *bad : {"run.seed", "seed=1", "=1", ".seed=1", "run.=1", "run..seed=1", "ru n.seed=1"})
    CHECK_THROWS_WITH(apply_override(root, bad), Contains("write --set table.key=value"));
  CHECK_THROWS_WITH(apply_override(root, "run.name=\"open"),
                    StartsWith("--set run.name: error: \"open is not"));
  CHECK_THROWS_WITH(
      apply_override(root, "run.seed.deep=1"),
      StartsWith("--set run.seed.deep: error: run.seed is a value, not a table, at f.toml:2:8"));
  CHECK(*root.find("run")->find("seed")->as_integer() == 1);
}

TEST_CASE("suggestions are near or absent") {
  CHECK(edit_distance("sampler", "smapler") == 1);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(did_you_mean("bacth", {"group", "batch"}) == " Did you mean \"batch\"?");
  CHECK(did_you_mean("zebra", {"group", "batch"}).empty());
  CHECK(listed({"a", "b", "c"}, "or") == "a, b or c");
  CHECK(listed({"a"}) == "a");
  CHECK(listed({}) == "none");
}
