#include "runtime/data/jsonl.hpp"

#include <cmath>

#include "models/error.hpp"
#include "tests/support/scratch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using Catch::Matchers::StartsWith;
using test::Contains;

TEST_CASE("what lines hold is recognised by their fields") {
  const auto prompts = parse_jsonl("{\"prompt\":\"p\",\"answer\":\"a\"}\n{\"prompt\":\"q\"}\n", "f");
  CHECK(prompts.format == row_format::prompts);
  CHECK(prompts.rows[0].answer == "a");
  CHECK(prompts.rows[1].answer.empty());
  CHECK(prompts.rows[1].row == 1);
  CHECK(std::isnan(prompts.rows[0].score));
  const auto shown = parse_jsonl("{\"prompt\":\"p\",\"response\":\"r\"}", "f");
  CHECK(shown.format == row_format::demonstrations);
  CHECK(shown.rows[0].response == "r");
  const auto pairs = parse_jsonl("{\"prompt\":\"p\",\"chosen\":\"c\",\"rejected\":\"d\"}", "f");
  CHECK(pairs.format == row_format::pairs);
  CHECK(pairs.rows[0].response == "c");
  CHECK(pairs.rows[0].rejected == "d");
  const auto scored = parse_jsonl("{\"prompt\":\"p\",\"response\":\"r\",\"score\":1}", "f");
  CHECK(scored.format == row_format::scored);
  CHECK(scored.rows[0].score == 1.0);
}

TEST_CASE("blank lines, CRLF, a byte-order mark and other fields are allowed") {
  const auto data = parse_jsonl(
      "\xEF\xBB\xBF\r\n{\"prompt\":\"\\u00e9\",\"id\":7}\r\n \t\r\n{\"prompt\":\"b\"}", "d.jsonl");
  REQUIRE(data.rows.size() == 2);
  CHECK(data.rows[0].prompt == "é");
  CHECK(data.rows[1].prompt == "b");
  CHECK(data.place(0) == "d.jsonl:2");
  CHECK(data.place(1) == "d.jsonl:4");
}

TEST_CASE("bad lines are named with what is expected") {
  struct bad_line {
    std::string text;
    std::string place;
    std::vector<const char *> words;
  };
  const std::string good = "{\"prompt\":\"p\",\"response\":\"r\"}\n";
  const std::vector<bad_line> table{
      {good + "{\"prompt\":\n", "f:2: error: ", {"not valid JSON at byte", "one object"}},
      {good + "\n{}{}\n", "f:3: error: ", {"not valid JSON"}},
      {good + "3\n", "f:2: error: ", {"not an object", "prompt"}},
      {"[" + good, "f:1: error: ", {"the array ends in the middle"}},
      {good + "[1]\n", "f:2: error: ", {"not an object"}},
      {"{\"prompt\":\"p\",\"prompt\":\"q\"}\n", "f:1: error: ", {"\"prompt\" twice", "remove the other"}},
      {"{\"prompt\":\"p\",\"more\":[{\"a\":1,\"a\":1}]}\n", "f:1: error: ", {"\"a\" twice"}},
      {"{\"prompt\":\"p\",\"response\":\"r\",\"score\":1e39}\n", "f:1: error: ", {"\"score\"", "float32"}},
      {good + "{\"prompt\":\"p\"}\n", "f:2: error: ", {"\"response\" is missing", "demonstrations"}},
      {good + "{}\n", "f:2: error: ", {"\"prompt\" is missing", "demonstrations"}},
      {good + "{\"response\":\"p\"}\n", "f:2: error: ", {"\"prompt\" is missing"}},
      {"{\"body\":\"p\"}\n",
       "f:1: error: ",
       {"none of the known formats", "fields = {", "pairs (chosen, rejected)"}},
      {"{\"prompt\":5}\n", "f:1: error: ", {"\"prompt\" must be a string, not 5"}},
      {"{\"prompt\":\"p\",\"answer\":[1]}\n", "f:1: error: ", {"\"answer\" must be a string, not an array"}},
      {"{\"prompt\":\"p\",\"chosen\":\"c\"}\n", "f:1: error: ", {"\"rejected\" is missing", "pairs"}},
      {"{\"prompt\":\"p\",\"score\":1}\n", "f:1: error: ", {"\"response\" is missing", "scored"}},
      {"{\"prompt\":\"p\",\"response\":\"r\",\"score\":\"1\"}\n",
       "f:1: error: ",
       {"\"score\" must be a number"}},
      {"{\"prompt\":\"p\",\"response\":\"r\",\"score\":1e999}\n", "f:1: error: ", {"out of range"}},
      {"{\"prompt\":\"p\",\"response\":\"r\",\"score\":-1e39}\n",
       "f:1: error: ",
       {"\"score\" is the number -1e+39, more than float32 holds"}},
      {good + "{\"prompt\":\"p\",\"prompt\":\"q\",\"response\":\"r\"}\n",
       "f:2: error: ",
       {"has \"prompt\" twice"}},
      {good + "{\"prompt\":\"p\",\"response\":\"r\",\"x\":[{\"a\":1,\"a\":1}]}\n",
       "f:2: error: ",
       {"has \"a\" twice"}},
      {"{\"prompt\":\"p\"}\n" + good,
       "f:2: error: ",
       {"holds demonstrations, but the file holds prompts", "two files"}},
      {good + "{\"prompt\":\"\xC3(\"}\n", "f:2: error: ", {"not UTF-8 at byte", "convert"}},
      {good + "\x1F\x8B\x08\n", "f:2: error: ", {"not valid JSON"}},
      {std::string(500, '[') + "\n", "f:1: error: ", {"nested too deeply"}},
      {"", "f: error: ", {"holds no rows", "one JSON object a line"}},
      {"\n \n", "f: error: ", {"holds no rows"}},
  };
  for (const auto &[text, place, words] : table) {
    INFO(text);
    CHECK_THROWS_AS(parse_jsonl(text, "f"), input_error);
    CHECK_THROWS_WITH(parse_jsonl(text, "f"), StartsWith(place));
    for (const char *word : words) CHECK_THROWS_WITH(parse_jsonl(text, "f"), Contains(word));
  }
}

TEST_CASE("data files that are not there are named") {
  const test::scratch folder;
  CHECK_THROWS_WITH(read_jsonl(folder / "none.jsonl"),
                    Contains("none.jsonl: error: there is no such data file"));
  CHECK_THROWS_WITH(read_jsonl(folder.path()), Contains("this is not a file"));
  CHECK_THROWS_WITH(read_jsonl(folder.write("empty.jsonl", "")),
                    Contains("empty.jsonl: error: the file holds no rows"));
  CHECK(read_jsonl(folder.write("one.jsonl", "{\"prompt\":\"p\"}\n")).rows.size() == 1);
}
