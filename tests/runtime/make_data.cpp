#include "runtime/data/make.hpp"

#include <algorithm>
#include <set>

#include "models/error.hpp"
#include "runtime/data/jsonl.hpp"
#include "runtime/scoring/countdown.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using test::Contains;

namespace {

std::string digits_of(const std::string &prompt) {
  REQUIRE(prompt.substr(0, 5) == "sort ");
  REQUIRE(prompt.back() == '=');
  return prompt.substr(5, prompt.size() - 6);
}

std::string upwards(std::string digits) {
  std::sort(digits.begin(), digits.end());
  return digits;
}

}  // namespace

TEST_CASE("the sort task: half sorted each way, three disjoint files") {
  const auto files = find_maker("sort").make(1);
  REQUIRE(files.size() == 3);
  std::set<std::string> seen;
  int up = 0, down = 0;
  std::set<std::size_t> lengths;
  const auto demonstrations = parse_jsonl(files[0].text, files[0].name);
  CHECK(files[0].text.substr(0, 16) == "{\"prompt\":\"sort ");
  CHECK(demonstrations.format == row_format::demonstrations);
  REQUIRE(demonstrations.rows.size() == 6000);
  for (const auto &row : demonstrations.rows) {
    const auto digits = digits_of(row.prompt);
    lengths.insert(digits.size());
    if (!seen.insert(digits).second) FAIL("twice: " << digits);
    const auto ascending = upwards(digits);
    up += row.response == ascending ? 1 : 0;
    down += row.response == std::string(ascending.rbegin(), ascending.rend()) ? 1 : 0;
  }
  CHECK(up == 3000);
  CHECK(down == 3000);
  CHECK(lengths == std::set<std::size_t>{4, 5, 6, 7});
  for (const std::size_t i : {1u, 2u}) {
    const auto data = parse_jsonl(files[i].text, files[i].name);
    CHECK(data.format == row_format::prompts);
    CHECK(data.rows.size() == (i == 1 ? 4000u : 256u));
    for (const auto &row : data.rows) {
      const auto digits = digits_of(row.prompt);
      if (!seen.insert(digits).second) FAIL("twice: " << digits);
      if (row.answer != upwards(digits)) FAIL("not sorted: " << row.answer);
    }
  }
}

TEST_CASE("annotators come in no order that a batch could learn") {
  const auto rows = parse_jsonl(find_maker("sort").make(1)[0].text, "f").rows;
  int up = 0, changes = 0;
  bool before = false;
  for (std::size_t i = 0; i < 1000; ++i) {
    const bool now = rows[i].response == upwards(digits_of(rows[i].prompt));
    up += now ? 1 : 0;
    changes += now != before ? 1 : 0;
    before = now;
  }
  CHECK(std::abs(up - 500) < 80);  // five deviations of 16
  CHECK(std::abs(changes - 500) < 80);
}

TEST_CASE("made files are written once, the same for the same seed") {
  const test::scratch folder;
  const auto &task = find_maker("sort");
  CHECK(make_data(task, folder / "a/deep", 1));
  CHECK(make_data(task, folder / "b", 1));
  CHECK(make_data(task, folder / "c", 2));
  for (const auto &name : task.files) {
    CHECK(test::read_text(folder / "a/deep" / name) == test::read_text(folder / "b" / name));
    CHECK(test::read_text(folder / "a/deep" / name) != test::read_text(folder / "c" / name));
  }
  CHECK(std::distance(std::filesystem::directory_iterator(folder / "b"), {}) == 3);
  folder.write("b/prompts.jsonl", "mine\n");
  CHECK_FALSE(make_data(task, folder / "b", 1));
  CHECK(test::read_text(folder / "b/prompts.jsonl") == "mine\n");
}

TEST_CASE("a partial set, a blocked folder and an unknown task are refused") {
  const test::scratch folder;
  const auto &task = find_maker("sort");
  folder.write("half/prompts.jsonl", "mine\n");
  CHECK_THROWS_WITH(make_data(task, folder / "half", 1),
                    Contains("half: error: the folder holds prompts.jsonl but not demonstrations.jsonl and "
                             "heldout.jsonl; remove"));
  CHECK_FALSE(std::filesystem::exists(folder / "half/heldout.jsonl"));
  folder.write("file", "");
  CHECK_THROWS_AS(make_data(task, folder / "file/data", 1), input_error);
  CHECK_THROWS_WITH(find_maker("srot"), Contains("Did you mean \"sort\"?"));
}

TEST_CASE("the countdown task: every demonstration is right, and no problem is in two files") {
  const auto files = find_maker("countdown").make(1);
  REQUIRE(files.size() == 3);
  using problem = std::pair<std::int64_t, std::vector<std::int64_t>>;
  std::set<problem> seen[3];
  std::set<std::string> demonstrated;
  for (const std::size_t i : {0u, 1u, 2u}) {
    const auto data = parse_jsonl(files[i].text, files[i].name);
    CHECK(data.format == (i == 0 ? row_format::demonstrations : row_format::prompts));
    CHECK(data.rows.size() == (i == 0 ? 16488u : i == 1 ? 1000u : 256u));
    for (const auto &row : data.rows) {
      REQUIRE(row.prompt.starts_with("make "));
      const auto stated = row.prompt.substr(5, row.prompt.size() - 6);
      const auto task = parse_countdown(stated);
      seen[i].insert({task.target, task.numbers});
      if (task.target < 1 || task.target > 99 || task.numbers.size() != 3) FAIL("odd problem: " << stated);
      if (i > 0 && row.answer != stated) FAIL("the answer states another problem: " << row.answer);
      if (i == 0 && countdown(row.response, stated) != 1) FAIL("wrong: " << row.prompt << row.response);
      if (i == 0) demonstrated.insert(row.response);
    }
  }
  CHECK(seen[0].size() == 2748);
  CHECK(seen[1].size() == 1000);
  CHECK(seen[2].size() == 256);
  auto all = seen[0];
  for (const std::size_t i : {1u, 2u}) all.insert(seen[i].begin(), seen[i].end());
  CHECK(all.size() == 4004);
  CHECK(demonstrated.size() > 3000);
  CHECK(find_maker("countdown").make(1)[0].text == files[0].text);
  CHECK(find_maker("countdown").make(2)[2].text != files[2].text);
}
