#include "runtime/scoring/reward_watch.hpp"

#include "tests/support/test.hpp"

using namespace slipstream;
using test::Contains;

namespace {

rollout_group group_of(const std::string &text, const std::string &answer) {
  auto line = std::make_shared<example>();
  line->prompt = "2+2=";
  line->answer = answer;
  rollout_group group;
  group.source = line;
  group.texts = {text, text};
  return group;
}

}  // namespace

TEST_CASE("rewards that are all alike are told once, with an answer and what it was compared with") {
  reward_watch watch(3, 1);
  const auto group = group_of("4\n", "four");
  CHECK(watch.look(group, {0, 0}).empty());
  CHECK(watch.look(group, {0, 0}).empty());
  const auto told = watch.look(group, {0, 0});
  CHECK_THAT(told, Contains("1 updates (6 answers)") && Contains("all 0") && Contains("\"4\\n\"") &&
                       Contains("\"2+2=\"") && Contains("compared with \"four\""));
  for (int i = 0; i < 9; ++i) CHECK(watch.look(group, {0, 0}).empty());
}

TEST_CASE("rewards that differ in a group, or between groups, are none of its business") {
  reward_watch watch(3, 1);
  const auto group = group_of("4", "");
  for (int i = 0; i < 9; ++i) {
    CHECK(watch.look(group, {0, 0}).empty());
    CHECK(watch.look(group, {0, 0}).empty());
    CHECK(watch.look(group, i % 2 == 0 ? std::vector<double>{0, 1} : std::vector<double>{1, 1}).empty());
  }
  reward_watch never(0, 0);
  for (int i = 0; i < 9; ++i) CHECK(never.look(group, {0, 0}).empty());
  reward_watch soon(1, 1);
  CHECK_THAT(soon.look(group_of("4", ""), {1, 1}), Contains("no \"answer\""));
}

TEST_CASE("long answers and bytes that are no text are cut to what fits a line") {
  reward_watch watch(1, 1);
  const auto told = watch.look(group_of(std::string(5000, 'x') + "\xFF" + "end", "\xC3"), {0, 0});
  CHECK(told.size() < 700);
  CHECK_THAT(told, Contains("end\"") && Contains(" … "));
}
