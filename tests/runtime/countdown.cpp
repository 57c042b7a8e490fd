#include "runtime/scoring/countdown.hpp"

#include <random>

#include "models/error.hpp"
#include "runtime/scoring/arithmetic.hpp"
#include "runtime/scoring/text_scores.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using test::Contains;

namespace {

using std::int64_t;

/// A random expression as a tree: written with as many parentheses and spaces as chance has it, but never
/// with fewer than its value needs.
struct grown {
  std::string text;
  int64_t value = 0;
  int binds = 2;  ///< 0: a sum, 1: a product, 2: a number or in parentheses
  std::vector<int64_t> numbers;
};

using dice = std::mt19937_64;

std::string spaces(dice &random) {
  return std::string(random() % 8 == 0 ? random() % 3 : 0, ' ');
}

grown wrapped(grown inner, dice &random) {
  inner.text = "(" + spaces(random) + inner.text + spaces(random) + ")";
  inner.binds = 2;
  return inner;
}

grown grow(int depth, dice &random) {
  if (depth == 0 || random() % 4 == 0) {
    const auto value = static_cast<int64_t>(random() % 100);
    return {std::to_string(value), value, 2, {value}};
  }
  auto left = grow(depth - 1, random), right = grow(depth - 1, random);
  const auto sign = "+-*"[random() % 3];
  const int binds = sign == '*' ? 1 : 0;
  if (left.binds < binds || random() % 8 == 0) left = wrapped(left, random);
  if (right.binds <= binds || random() % 8 == 0) right = wrapped(right, random);
  grown result;
  result.text = left.text + spaces(random) + sign + spaces(random) + right.text;
  result.value = sign == '+'   ? left.value + right.value
                 : sign == '-' ? left.value - right.value
                               : left.value * right.value;
  result.binds = binds;
  result.numbers = left.numbers;
  result.numbers.insert(result.numbers.end(), right.numbers.begin(), right.numbers.end());
  return result;
}

}  // namespace

TEST_CASE("grown expressions are read with their value and numbers") {
  dice random(7);
  for (int i = 0; i < 3000; ++i) {
    const auto tree =
        grow(static_cast<int>(random() % 4), random);  // at most 8 numbers below 100: 64 bits do
    CAPTURE(tree.text);
    const auto read = parse_arithmetic(tree.text);
    REQUIRE(read);
    CHECK(read->value == tree.value);
    CHECK(read->numbers == tree.numbers);
  }
}

TEST_CASE("an expression with one character changed is refused, or is another well-formed one") {
  dice random(8);
  const std::string letters = "0123456789+-*() /=x\t\n";
  int refused = 0, read_again = 0;
  for (int i = 0; i < 5000; ++i) {
    auto text = grow(3, random).text;
    text[random() % text.size()] = letters[random() % letters.size()];
    const auto read = parse_arithmetic(text);
    if (!read) {
      ++refused;
      continue;
    }
    ++read_again;
    CAPTURE(text);
    CHECK(text.find_first_not_of("0123456789+-*() ") == std::string::npos);
    const auto within = parse_arithmetic("(" + text + ")*1+0");
    REQUIRE(within);
    CHECK(within->value == read->value);
    CHECK(within->numbers.size() == read->numbers.size() + 2);
  }
  CHECK(refused > 1000);
  CHECK(read_again > 1000);
}

TEST_CASE("what is no expression") {
  for (const char *text : {"",
                           " ",
                           "+",
                           "3+",
                           "+3",
                           "-3",
                           "3 4",
                           "3--4",
                           "(3",
                           "3)",
                           "()",
                           "3(4)",
                           "3/1",
                           "3**2",
                           "3+4=7",
                           "3x4",
                           "3.0",
                           "0x3",
                           "9223372036854775808",
                           "9223372036854775807+1",
                           "0-9223372036854775807-2",
                           "4611686018427387904*2"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_arithmetic(text));
  }
  CHECK(parse_arithmetic("9223372036854775807")->value == 9223372036854775807);
  CHECK(parse_arithmetic(std::string(64, '(') + "3" + std::string(64, ')')));
  CHECK_FALSE(parse_arithmetic(std::string(65, '(') + "3" + std::string(65, ')')));
  CHECK_FALSE(parse_arithmetic(std::string(1000000, '(')));
  CHECK(parse_arithmetic("(1)+(2)*(3)")->value == 7);
}

TEST_CASE("countdown: any expression that uses each number once and makes the target") {
  const auto score = [](const char *answer) { return countdown(answer, "19 from 3 4 7", 0.25); };
  for (const char *right : {"3*4+7", "7+4*3", "7 + (3 * 4)", "((4)*3)+7"}) CHECK(score(right) == 1);
  for (const char *near : {"3+4+7", "7*4-3", "(3-4)*7"}) CHECK(score(near) == 0.25);
  for (const char *wrong : {"19", "12+7", "3*4+7+0", "3*4", "3*3+7", "3*4+7=19", "34-7", "", "3*4+7 ok"})
    CHECK(score(wrong) == 0);
  CHECK(countdown("3+4+7", "19 from 3 4 7") == 0);  // nothing for what is only near, unless asked for
  CHECK(countdown("5+5+9", "19 from 5 9 5") == 1);
  CHECK(countdown("5+9+9-4", "19 from 5 9 5") == 0);
  CHECK(countdown("3-4", "-1 from 4 3") == 1);
  CHECK(find_text_score("countdown")("4-3", "1 from 3 4") == 1);
}

TEST_CASE("a problem that cannot be read is an error that shows how") {
  for (const char *text : {"", "19", "19 from", "19 from ", "19 from 3  4", "from 3 4", "19 from 3 4x",
                           "19  from 3", "19 from 99999999999999999999"}) {
    CAPTURE(text);
    CHECK_THROWS_WITH(parse_countdown(text), Contains("reads like \"19 from 3 4 7\""));
  }
  CHECK(parse_countdown("19 from 7 3 4").numbers == std::vector<int64_t>{3, 4, 7});
}

TEST_CASE("the overlong penalty grows over the last tokens") {
  rollout_group group;
  for (const std::size_t length : {1u, 6u, 7u, 8u, 9u, 10u, 11u}) {
    generation rollout;
    rollout.tokens.resize(length);
    group.rollouts.push_back(rollout);
  }
  CHECK(overlong_scores(group, 10, 4) == std::vector<double>{0, 0, -0.25, -0.5, -0.75, -1, -1});
}
