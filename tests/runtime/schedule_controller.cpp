#include "runtime/schedule/schedule_controller.hpp"

#include <limits>

#include "tests/support/schedules.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

schedule_controller with_number(const std::string &name, const schedule_number &number,
                                std::vector<guard_spec> guards = {}) {
  return {{{name, number}}, std::move(guards)};
}

/// The number's value after each of the readings, at versions 1, 2 ….
std::vector<std::int64_t> follow(schedule_controller controller, const std::string &signal,
                                 const std::vector<double> &readings) {
  std::vector<std::int64_t> values;
  std::int64_t version = 0;
  for (const auto reading : readings) {
    controller.observe(++version, {{signal, reading}});
    values.push_back(controller.value("lead"));
  }
  return values;
}

using numbers = std::vector<std::int64_t>;

}  // namespace

TEST_CASE("a ramp goes from one number to another between two versions, either way") {
  const auto up = test::ramp(0, 4, 2, 6), down = test::ramp(4, 1, 0, 3);
  numbers rising, falling;
  for (std::int64_t version = 0; version < 8; ++version) {
    rising.push_back(ramp_value(up, version));
    falling.push_back(ramp_value(down, version));
  }
  CHECK(rising == numbers{0, 0, 0, 1, 2, 3, 4, 4});
  CHECK(falling == numbers{4, 3, 2, 1, 1, 1, 1, 1});
  auto controller = with_number("window", up);
  CHECK(controller.observe(2, {}).empty());
  const auto changes = controller.observe(3, {});
  REQUIRE(changes.size() == 1);
  CHECK(changes[0].number == "window");
  CHECK(changes[0].version == 3);
  CHECK(changes[0].value == 1);
  CHECK(changes[0].cause == "the ramp at version 3");
  CHECK(controller.changing() == std::map<std::string, std::int64_t>{{"window", 1}});
}

TEST_CASE(
    "a controller changes a number down while data are too old, and up while they need not be so fresh") {
  const auto ess = test::feedback("ess", 0.5, 0, 3);
  CHECK(follow(with_number("lead", ess), "ess", {0.9, 0.9, 0.9, 0.9, 0.5, 0.52, 0.2, 0.2}) ==
        numbers{1, 2, 3, 3, 3, 3, 2, 1});
  const auto kl = test::feedback("kl", 0.5, 0, 3);
  CHECK(follow(with_number("lead", kl), "kl", {0.1, 0.1, 0.9, 0.5, 0.9, 0.9}) == numbers{1, 2, 1, 1, 0, 0});
  SECTION("by the mean of several updates") {
    const auto slow = test::feedback("ess", 0.5, 0, 3, 3);
    CHECK(follow(with_number("lead", slow), "ess", {0.9, 0.9, 0.9, 0.1, 0.1, 0.9}) ==
          numbers{0, 0, 1, 1, 1, 0});
  }
  SECTION("what is missing or no number is left out") {
    const auto none = std::numeric_limits<double>::quiet_NaN();
    CHECK(follow(with_number("lead", ess), "kl", {9, 9}) == numbers{0, 0});
    CHECK(follow(with_number("lead", ess), "ess", {none, 0.9}) == numbers{0, 1});
  }
}

TEST_CASE("a controller that goes on acts as one that was never interrupted") {
  const auto spec = test::feedback("ess", 0.5, 0, 3, 3);
  auto whole = with_number("lead", spec), second = with_number("lead", spec);
  const std::vector<double> readings{0.9, 0.9, 0.9, 0.1, 0.1, 0.9, 0.9, 0.9, 0.8};
  std::map<std::string, std::int64_t> kept;
  for (std::int64_t version = 1; version <= 9; ++version) {
    const schedule_controller::figures figures{{"ess", readings[static_cast<std::size_t>(version - 1)]}};
    whole.observe(version, figures);
    if (version == 5) {
      second.restore(whole.changing());
      for (std::int64_t before = 1; before <= 5; ++before)
        second.remember(before, {{"ess", readings[static_cast<std::size_t>(before - 1)]}});
    }
    if (version > 5) {
      second.observe(version, figures);
      CHECK(second.value("lead") == whole.value("lead"));
    }
  }
}

TEST_CASE("a guard looks at its figure, and says which bound it broke") {
  const guard_spec above{"weight_max", 10.0, {}, guard_action::skip},
      below{"ess", {}, 0.3, guard_action::skip};
  CHECK(out_of_bounds(above, {{"weight_max", 10.5}}));
  CHECK_FALSE(out_of_bounds(above, {{"weight_max", 10.0}}));
  CHECK_FALSE(out_of_bounds(above, {{"ess", 99.0}}));
  CHECK(out_of_bounds(below, {{"ess", 0.25}}));
  CHECK_FALSE(out_of_bounds(below, {{"ess", 0.3}}));
  CHECK(reason_of(above, {{"weight_max", 10.5}}) == "weight_max 10.5 above 10");
  CHECK(reason_of(below, {{"ess", 0.25}}) == "ess 0.25 below 0.3");
}

TEST_CASE("a guard shrinks the lead by one version an update, down to what publishing needs") {
  auto spec = schedule_number::constant(3);
  spec.least = 1;
  auto controller = with_number("lead", spec, {{"kl", 0.5, {}, guard_action::shrink}});
  numbers values;
  std::int64_t version = 0;
  for (const double kl : {0.6, 0.4, 0.7, 0.8}) {
    for (const auto &change : controller.observe(++version, {{"kl", kl}}))
      CHECK_THAT(change.cause, test::Contains("guard: kl"));
    values.push_back(controller.value("lead"));
  }
  CHECK(values == numbers{2, 2, 1, 1});
}
