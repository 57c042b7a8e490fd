#include <fstream>
#include <nlohmann/json.hpp>

#include "models/error.hpp"
#include "runtime/scoring/number.hpp"
#include "runtime/scoring/text_rules.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

rollout_group group_of(std::vector<std::string> texts, std::vector<std::vector<std::int64_t>> tokens = {}) {
  rollout_group group;
  group.texts = std::move(texts);
  group.rollouts.resize(group.texts.size());
  for (std::size_t i = 0; i < tokens.size(); ++i) group.rollouts[i].tokens = tokens[i];
  return group;
}

}  // namespace

TEST_CASE("numbers are read as people who use GSM8K and MATH expect") {
  std::ifstream in(test::data("numbers.jsonl"));
  std::string line;
  int cases = 0, right = 0;
  for (; std::getline(in, line); ++cases) {
    INFO(line);
    const auto row = nlohmann::json::parse(line);
    const double score = number_score(row["answer"].get<std::string>(), row["expected"].get<std::string>(),
                                      {row.value("mark", ""), 0, 0});
    CHECK(score == row["score"].get<double>());
    right += score == 1 ? 1 : 0;
  }
  CHECK(cases >= 250);
  CHECK(right > 150);
  CHECK(right <= cases - 40);
}

TEST_CASE("a number may be off by a share, and another one may count in part") {
  CHECK(number_score("3.14", "3.14159", {"", 0.001, 0}) == 1);
  CHECK(number_score("3.1", "3.14159", {"", 0.001, 0.25}) == 0.25);
  CHECK(number_score("none", "3", {"", 0.001, 0.25}) == 0);
  CHECK_THROWS_WITH(number_score("3", "three"), test::Contains("holds no number to compare with"));
}

TEST_CASE("any bytes are read for numbers without an end of the program") {
  std::uint64_t seed = 3;
  constexpr std::string_view letters =
      "0123456789.,-+/^_{}()\\ \n$%#eEx*\xe2\x88\x92"
      "fracsqrtpiboxed";
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (int i = 0; i < 40; ++i) {
      seed = seed * 6364136223846793005u + 1442695040888963407u;
      text += letters[(seed >> 33) % letters.size()];
      if ((seed >> 20) % 9 == 0) text += "\\frac";
    }
    const auto found = number_in(text);
    CHECK((!found || *found == *found));
  }
  CHECK(number_in(std::string(100000, '{') + "7" + std::string(100000, '}')) == 7.0L);
  std::string deep;
  for (int i = 0; i < 50000; ++i) deep += "\\frac{";
  CHECK(!number_in(deep));
}

TEST_CASE("each pattern that matches adds its score") {
  const format_rule rule({"^<think>(?s:.*)</think>", "\\d+$", "(?i)please"}, {1, 0.5, -0.25});
  CHECK(rule("<think>a\nb</think> 42") == 1.5);
  CHECK(rule("42") == 0.5);
  CHECK(rule("PLEASE") == -0.25);
  CHECK(rule("") == 0);
  CHECK(format_rule({"."}, {})("\xc3\xa4") == 1);
  CHECK(format_rule({"^.$"}, {})("\xc3\xa4") == 1);                      // one character
  CHECK(format_rule({"."}, {})("\xff\xff") == 0);                        // no text
  CHECK(format_rule({"(a+)+$"}, {})(std::string(200, 'a') + "b") == 0);  // would backtrack for ever
  CHECK_THROWS_WITH(format_rule({"a", "(b"}, {}),
                    test::Contains("the pattern \"(b\" is no regular expression: at character 3"));
}

TEST_CASE("lengths count characters, words or tokens") {
  const auto group = group_of({"\xc3\xa4 b  cd\n", ""}, {{1, 2, 3}, {}});
  CHECK(text_length(group, 0, text_unit::characters) == 8);
  CHECK(text_length(group, 0, text_unit::words) == 3);
  CHECK(text_length(group, 0, text_unit::tokens) == 3);
  CHECK(text_length(group, 1, text_unit::words) == 0);
  CHECK(length_score(0, 40, 0) == 1);
  CHECK(length_score(10, 40, 0) == 0.75);
  CHECK(length_score(80, 40, 0) == 0);
  CHECK(length_score(80, 40, -2) == -1);
  CHECK(length_score(400, 40, -2) == -2);
}

TEST_CASE("texts are looked for, wanted and unwanted ones") {
  CHECK(contains_rule{{"thank", "you"}, {}, false, false}("thank him") == 0.5);
  CHECK(contains_rule{{"thank", "you"}, {}, true, false}("thank him") == 1);
  CHECK(contains_rule{{"Thank"}, {}, false, false}("thank") == 0);
  CHECK(contains_rule{{"Thank"}, {}, false, true}("THANKS") == 1);
  CHECK(contains_rule{{"a"}, {"sorry"}, false, false}("a, sorry") == 0);
  CHECK(contains_rule{{}, {"sorry"}, false, false}("fine") == 1);
}

TEST_CASE("what is said again counts against an answer") {
  const auto group = group_of({"a b c d", "a b a b a b", "a", "xxxx"}, {{1, 2, 3}, {7, 7, 7, 7}, {}, {}});
  CHECK(repetition_score(group, 0, 2, text_unit::words) == 0);
  CHECK(repetition_score(group, 1, 2, text_unit::words) == Approx(2.0 / 5 - 1));
  CHECK(repetition_score(group, 2, 2, text_unit::words) == 0);
  CHECK(repetition_score(group, 3, 1, text_unit::characters) == Approx(0.25 - 1));
  CHECK(repetition_score(group, 1, 2, text_unit::tokens) == Approx(1.0 / 3 - 1));
}
