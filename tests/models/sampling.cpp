#include "models/engine/sampling.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>

#include "models/arithmetic/rows.hpp"
#include "models/engine/random.hpp"
#include "models/error.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

sampling_options options_of(const nlohmann::json &filter) {
  return {filter.at("temperature"), filter.at("top_k"), filter.at("top_p"), filter.at("min_p")};
}

const std::vector<float> logits{0.5f, -1.0f, 2.0f, 1.5f, -3.0f};
const std::vector<std::int64_t> two{2};

}  // namespace

TEST_CASE("filtered distributions equal the reference values") {
  int cases = 0;
  for (const auto &file : std::filesystem::directory_iterator(test::golden("algorithms"))) {
    if (!file.path().filename().string().starts_with("sampling_filters-")) continue;
    const auto golden = nlohmann::json::parse(std::ifstream(file.path()));
    const std::vector<float> row = golden["inputs"]["logits"];
    for (std::size_t i = 0; i < golden["params"]["filters"].size(); ++i) {
      const auto p = filtered_probabilities(row, options_of(golden["params"]["filters"][i]));
      const std::vector<double> expected = golden["expected"]["probs_" + std::to_string(i)];
      REQUIRE(p.size() == expected.size());
      for (std::size_t t = 0; t < p.size(); ++t) CHECK(std::abs(p[t] - expected[t]) < 1e-6);
      ++cases;
    }
  }
  CHECK(cases >= 7);
}

TEST_CASE("ties in a filter go to the lower id") {
  const std::vector<float> equal{1.0f, 1.0f, 1.0f, 1.0f};
  CHECK(filtered_probabilities(equal, {1.0, 2, 1.0, 0.0}) == std::vector<double>{0.5, 0.5, 0.0, 0.0});
  CHECK(filtered_probabilities(equal, {1.0, 0, 0.3, 0.0}) == std::vector<double>{0.5, 0.5, 0.0, 0.0});
  CHECK(filtered_probabilities(equal, {0.0, 0, 1.0, 0.0}) == std::vector<double>{1.0, 0.0, 0.0, 0.0});
}

TEST_CASE("draws follow the distribution and report its log-probabilities") {
  for (const sampling_options &options :
       {sampling_options{}, sampling_options{0.7, 0, 1.0, 0.0}, sampling_options{1.3, 3, 0.9, 0.05}}) {
    const auto p = filtered_probabilities(logits, options);
    std::vector<double> seen(p.size(), 0.0);
    const std::uint32_t count = 20000;
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto drawn = draw_token(logits, options, {}, uniform(1, 2, 3, i));
      const auto token = static_cast<std::size_t>(drawn.token);
      CHECK(std::abs(drawn.logprob - std::log(p[token])) < 2e-6);
      seen[token] += 1.0 / count;
    }
    for (std::size_t i = 0; i < p.size(); ++i) CHECK(std::abs(seen[i] - p[i]) < 0.015);
  }
}

TEST_CASE("an unfiltered draw has the bits of the learner's log-probability") {
  std::vector<float> expected(logits.size());
  arithmetic::log_softmax(logits.data(), 5, static_cast<float>(1.0 / 0.7), expected.data());
  for (const double u : {0.0, 0.2, 0.6, 0.9, 0.9999999999}) {
    const auto drawn = draw_token(logits, {0.7, 0, 1.0, 0.0}, {}, u);
    CHECK(drawn.logprob == expected[static_cast<std::size_t>(drawn.token)]);
  }
}

TEST_CASE("temperature 0 takes the greatest logit and reports the whole distribution's log-probability") {
  std::vector<float> expected(logits.size());
  arithmetic::log_softmax(logits.data(), 5, 1.0f, expected.data());
  const auto best = draw_token(logits, {0.0, 1, 0.5, 0.0}, {}, 0.99);
  CHECK(best.token == 2);
  CHECK(best.logprob == expected[2]);
  const auto second = draw_token(logits, {0.0, 0, 1.0, 0.0}, two, 0.99);
  CHECK(second.token == 3);
  CHECK(second.logprob == expected[3]);
}

TEST_CASE("a forbidden token never comes") {
  for (std::uint32_t i = 0; i < 1000; ++i) {
    const auto drawn = draw_token(logits, {}, two, uniform(5, 6, 7, i));
    REQUIRE(drawn.token != 2);
    if (drawn.token == 3) CHECK(std::abs(drawn.logprob - -0.37917f) < 1e-3);  // 1.5 - log of what is left
  }
}

TEST_CASE("draws from a large vocabulary follow its distribution, with filters and without") {
  std::mt19937 generator(3);
  std::normal_distribution<float> normal(0.0f, 3.0f);
  std::vector<float> wide(1000);
  for (float &x : wide) x = normal(generator);
  for (const sampling_options &options :
       {sampling_options{}, sampling_options{0.8, 0, 0.9, 0.0}, sampling_options{1.0, 40, 1.0, 0.0},
        sampling_options{1.0, 0, 1.0, 0.02}}) {
    const auto p = filtered_probabilities(wide, options);
    double total = 0, reached = 0;
    for (const double each : p) total += each;
    CHECK(total == Approx(1.0).epsilon(1e-9));
    for (std::size_t id = 0; id < wide.size(); ++id) {  // u in the middle of a token's share draws it
      reached += p[id];
      if (p[id] < 1e-6) continue;
      const auto drawn = draw_token(wide, options, {}, reached - p[id] / 2);
      CHECK(drawn.token == static_cast<std::int64_t>(id));
      CHECK(std::abs(drawn.logprob - std::log(p[id])) < 1e-5);
    }
  }
  const auto top = filtered_probabilities(wide, {1.0, 40, 1.0, 0.0});
  CHECK(std::count_if(top.begin(), top.end(), [](double each) { return each > 0; }) == 40);
}

TEST_CASE("logits that are not finite are refused") {
  const float nan = std::numeric_limits<float>::quiet_NaN(),
              infinite = std::numeric_limits<float>::infinity();
  for (const float bad : {nan, infinite})
    for (const sampling_options &options :
         {sampling_options{}, sampling_options{0.0, 0, 1.0, 0.0}, sampling_options{1.0, 2, 0.9, 0.1}})
      for (std::size_t at = 0; at < 5; ++at) {
        auto damaged = logits;
        damaged[at] = bad;
        CHECK_THROWS_AS(draw_token(damaged, options, {}, 0.5), run_error);
      }
}
