#include "runtime/data/row_texts.hpp"

#include "models/error.hpp"
#include "runtime/data/cursor.hpp"
#include "runtime/data/jsonl.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using Catch::Matchers::StartsWith;
using test::Contains;

namespace {

/// The rows of a text that comes in pieces of `size` bytes: "LINE:COLUMN text|" each.
std::string shown(const std::string &text, std::size_t size) {
  std::size_t at = 0;
  row_texts rows(
      [&](std::string &to) {
        const auto part = text.substr(std::min(at, text.size()), size);
        at += size;
        to += part;
        return !part.empty();
      },
      "f");
  std::string result;
  while (const auto row = rows.next())
    result +=
        std::to_string(row->line) + ":" + std::to_string(row->column) + " " + std::string(row->text) + "|";
  return result;
}

std::string prompts_of(const dataset &data) {
  std::string text;
  for (const auto &row : data.rows) text += row.prompt + " ";
  return text;
}

}  // namespace

TEST_CASE("rows are lines, or the elements of one array, however the file comes in pieces") {
  for (const std::size_t size : {1U, 2U, 3U, 7U, 1000U}) {
    INFO(size);
    CHECK(shown("{}\n\n {\"a\":1}\r\n{}", size) == "1:0 {}|3:0 {\"a\":1}|4:0 {}|");
    CHECK(shown("\xEF\xBB\xBF\n[{\"a\":[1,2]},\n {\"b\":\"],\\\"}\"}\n]\n", size) ==
          "2:2 {\"a\":[1,2]}|3:2 {\"b\":\"],\\\"}\"}\n|");
    CHECK(shown("[]", size).empty());
    CHECK(shown("", size).empty());
    CHECK(shown("[1,\"x\"]", size) == "1:2 1|1:4 \"x\"|");
  }
}

TEST_CASE("what is no array is refused at its line") {
  const std::vector<std::pair<std::string, std::string>> table{
      {"[{}\n", "f:1: error: the array ends in the middle"},
      {"[{},\n", "f:2: error: the array ends in the middle"},
      {"[{\"a\":\"]", "f:1: error: the array ends in the middle"},
      {"[\n{},]", "f:2: error: a row is missing between"},
      {"[,{}]", "f:1: error: a row is missing before"},
      {"[{}]\n{}", "f:2: error: something follows the end"},
      {std::string(500, '['), "f:1: error: the row is nested too deeply"},
  };
  for (const auto &[text, message] : table) {
    INFO(text);
    CHECK_THROWS_AS(shown(text, 3), input_error);
    CHECK_THROWS_WITH(shown(text, 3), StartsWith(message));
  }
}

TEST_CASE("rows of an array are named by line and column") {
  const auto data = parse_jsonl("[{\"prompt\":\"a\"}, {\"prompt\":\"b\"},\n{\"prompt\":\"c\"}]", "d.json");
  CHECK(prompts_of(data) == "a b c ");
  CHECK(data.place(1) == "d.json:1:18");
  CHECK(data.place(2) == "d.json:2:1");
  CHECK_THROWS_WITH(parse_jsonl("[{\"prompt\":\"a\"},\n 3]", "d.json"),
                    StartsWith("d.json:2:2: error: the row is not an object"));
  CHECK_THROWS_WITH(parse_jsonl("[{\"prompt\":\"a\"}{\"prompt\":\"b\"}]", "d.json"),
                    StartsWith("d.json:1:2: error: not valid JSON"));
  CHECK_THROWS_WITH(parse_jsonl("[]", "d.json"), Contains("holds no rows"));
}

TEST_CASE("several files are one dataset: its draws are those of their rows in one file") {
  const test::scratch folder;
  const auto first = folder.write("1.json", "[{\"prompt\":\"a\"},\n{\"prompt\":\"b\"}]"),
             second = folder.write("2.jsonl", "{\"prompt\":\"c\"}\n\n{\"prompt\":\"d\"}\n"),
             whole = folder.write(
                 "all.jsonl",
                 "{\"prompt\":\"a\"}\n{\"prompt\":\"b\"}\n{\"prompt\":\"c\"}\n{\"prompt\":\"d\"}\n");
  const auto parts = read_data_files({first, second}), one = read_jsonl(whole);
  CHECK(prompts_of(parts) == prompts_of(one));
  CHECK(parts.rows[3].row == 3);
  CHECK(parts.place(1) == first.string() + ":2:1");
  CHECK(parts.place(3) == second.string() + ":3");
  CHECK(parts.name() == first.string() + " and 1 more file");
  cursor begun(7, 4), resumed(7, static_cast<std::int64_t>(parts.rows.size()), true, 5);
  for (int i = 0; i < 5; ++i) begun.next();
  for (int i = 0; i < 9; ++i) {
    const auto row = static_cast<std::size_t>(resumed.next().row);
    CHECK(parts.rows[row].prompt == one.rows[static_cast<std::size_t>(begun.next().row)].prompt);
  }
}

TEST_CASE("several files hold the same, each in its own form") {
  const test::scratch folder;
  const auto texts = folder.write("t.jsonl", "{\"text\":\"a\"}\n"),
             alpaca = folder.write("a.jsonl", "{\"instruction\":\"a\",\"output\":\"b\"}\n"),
             prompts = folder.write("p.jsonl", "\n{\"prompt\":\"a\"}\n"),
             empty = folder.write("e.jsonl", "\n");
  CHECK(read_data_files({texts, alpaca}).rows.size() == 2);
  CHECK_THROWS_WITH(read_data_files({texts, prompts}),
                    StartsWith(prompts.string() + ":2: error: the file holds prompts, but " + texts.string() +
                               " holds demonstrations"));
  CHECK_THROWS_WITH(read_data_files({texts, empty}),
                    StartsWith(empty.string() + ": error: the file holds no rows"));
}
