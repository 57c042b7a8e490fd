#include "runtime/data/data_files.hpp"

#include "models/error.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using test::Contains;

namespace {

std::string names(const std::vector<std::string> &patterns, const std::filesystem::path &folder) {
  std::string text;
  for (const auto &file : find_data_files(patterns, folder)) text += file.filename().string() + " ";
  return text;
}

}  // namespace

TEST_CASE("names and patterns of data files, in an order that no locale changes") {
  const test::scratch folder;
  for (const char *name : {"p/b.jsonl", "p/a.jsonl", "p/B.jsonl", "p/c.json", "odd[1].jsonl"})
    folder.write(name, "");
  CHECK(names({"p/*.jsonl"}, folder.path()) == "B.jsonl a.jsonl b.jsonl ");
  CHECK(names({"p/c.json", "p/[ab].jsonl"}, folder.path()) == "c.json a.jsonl b.jsonl ");
  CHECK(names({"odd[1].jsonl"}, folder.path()) == "odd[1].jsonl ");  // a file of that very name
  CHECK(names({"none.jsonl"}, folder.path()) == "none.jsonl ");      // whoever reads it says so
  CHECK(names({(folder / "p/?.json").string()}, "elsewhere") == "c.json ");
  CHECK_THROWS_WITH(names({"p/*.txt"}, folder.path()), Contains("p/*.txt: error: no data file matches"));
  CHECK_THROWS_WITH(names({"**/*.jsonl"}, folder.path()), Contains("\"**\""));
  CHECK_THROWS_WITH(names({"p/a.jsonl", "p/*.jsonl"}, folder.path()),
                    Contains("a.jsonl: error: ") && Contains("twice"));
  CHECK_THROWS_AS(names({"p/../p/a.jsonl", "p/a.jsonl"}, folder.path()), input_error);
}
