#include "runtime/scoring/score_check.hpp"

#include <ATen/core/Tensor.h>

#include <limits>

#include "models/error.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using test::Contains;

namespace {

group_ptr two_answers() {
  auto line = std::make_shared<example>();
  line->id = 17;
  line->prompt = "12\n=";
  auto group = std::make_shared<rollout_group>();
  group->source = line;
  group->rollouts.resize(2);
  group->rollouts[0].tokens = {1, 2};
  group->rollouts[1].tokens = {3};
  return group;
}

void check(std::vector<double> scores) {
  check_scores({two_answers(), "near", std::move(scores)});
}

}  // namespace

TEST_CASE("a scorer gives each answer one number, or is named") {
  constexpr double infinite = std::numeric_limits<double>::infinity();
  CHECK_NOTHROW(check({-1e38, 0.5}));
  CHECK_THROWS_WITH(check({1}), Contains("[actors.near] gave 1 scores for the 2 answers of prompt 17"));
  CHECK_THROWS_WITH(check({1, 2, 3}), Contains("gave 3 scores for the 2 answers"));
  CHECK_THROWS_WITH(check({1, std::numeric_limits<double>::quiet_NaN()}),
                    Contains("[actors.near] gave the score nan to answer 2 of 2 of prompt 17 (\"12 =\")"));
  CHECK_THROWS_WITH(check({-infinite, 1}), Contains("the score -inf to answer 1"));
  CHECK_THROWS_WITH(check({1e39, 1}), Contains("the score 1e+39 to answer 1"));
  CHECK_THROWS_AS(check({infinite, 1}), run_error);
}

TEST_CASE("a figure stands beside each token, or who gave it is named") {
  const auto group = two_answers();
  CHECK_NOTHROW(check_token_figures({{0.5F, 1}, {-std::numeric_limits<float>::infinity()}}, *group, "x"));
  CHECK_THROWS_WITH(check_token_figures({{0.5F, 1}}, *group, "model \"critic\""),
                    Contains("model \"critic\" gave figures of 1 answers for the 2 of prompt 17"));
  CHECK_THROWS_WITH(check_token_figures({{0.5F}, {1}}, *group, "x"),
                    Contains("1 figures for the 2 tokens of answer 1"));
  CHECK_THROWS_WITH(check_token_figures({{0.5F, std::numeric_limits<float>::quiet_NaN()}, {1}}, *group, "x"),
                    Contains("a figure that is no number to answer 1"));
}

TEST_CASE("scores that are numbers may make a reward that is none") {
  const auto group = two_answers();
  CHECK_NOTHROW(check_rewards({1, 2}, *group, {}));
  CHECK_THROWS_WITH(check_rewards({1, 1e300}, *group, {{"near", {1, 3e38}}, {"far", {0, 2}}}),
                    Contains("the reward of answer 2 of prompt 17 (\"12 =\") is 1e+300 (2 of [actors.far], "
                             "3e+38 of [actors.near])"));
}
