#include "runtime/feedback/agreement.hpp"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "models/error.hpp"
#include "runtime/feedback/simulated_annotator.hpp"
#include "runtime/feedback/strengths.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

ratings_of_one row_of(const nlohmann::json &given) {
  ratings_of_one row;
  for (const auto &each : given)
    row.push_back(each.is_null() ? std::optional<double>() : std::optional<double>(each.get<double>()));
  return row;
}

std::vector<comparison_of_two> repeated(std::size_t first, std::size_t second, pair_verdict verdict,
                                        int times) {
  return std::vector<comparison_of_two>(static_cast<std::size_t>(times), {first, second, verdict});
}

void add(std::vector<comparison_of_two> &to, const std::vector<comparison_of_two> &more) {
  to.insert(to.end(), more.begin(), more.end());
}

}  // namespace

TEST_CASE("every golden case of agreement is met") {
  int files = 0;
  for (const auto &entry : std::filesystem::directory_iterator(test::golden("algorithms"))) {
    if (!entry.path().filename().string().starts_with("agreement-")) continue;
    INFO(entry.path().string());
    ++files;
    const auto file = nlohmann::json::parse(std::ifstream(entry.path()));
    std::vector<ratings_of_one> people;
    for (const auto &row : file.at("inputs").at("ratings")) people.push_back(row_of(row));
    const auto &wanted = file.at("expected");
    CHECK(*krippendorff_alpha(people, rating_scale::nominal) ==
          Approx(wanted.at("alpha_nominal").get<double>()));
    CHECK(*krippendorff_alpha(people, rating_scale::ordinal) ==
          Approx(wanted.at("alpha_ordinal").get<double>()));
    CHECK(*krippendorff_alpha(people, rating_scale::interval) ==
          Approx(wanted.at("alpha_interval").get<double>()));
    CHECK(*cohen_kappa(people.at(0), people.at(1)) == Approx(wanted.at("kappa").get<double>()));
  }
  CHECK(files > 0);
}

TEST_CASE("Krippendorff's published example gives his figures, and a unit rated once changes nothing") {
  const auto rows = nlohmann::json::parse(R"([[1,2,3,3,2,1,4,1,2,null,null,null],
      [1,2,3,3,2,2,4,1,2,5,null,3],[null,3,3,3,2,3,4,2,2,5,1,null],[1,2,3,3,2,4,4,1,2,5,1,null]])");
  std::vector<ratings_of_one> people;
  for (const auto &row : rows) people.push_back(row_of(row));
  CHECK(*krippendorff_alpha(people, rating_scale::nominal) == Approx(0.743).margin(5e-4));
  CHECK(*krippendorff_alpha(people, rating_scale::ordinal) == Approx(0.815).margin(5e-4));
  CHECK(*krippendorff_alpha(people, rating_scale::interval) == Approx(0.849).margin(5e-4));
  const double before = *krippendorff_alpha(people, rating_scale::interval);
  for (std::size_t i = 0; i < people.size(); ++i)
    people[i].push_back(i == 0 ? std::optional<double>(5) : std::nullopt);
  CHECK(*krippendorff_alpha(people, rating_scale::interval) == Approx(before));
}

TEST_CASE("Cohen's kappa of 20 yes-yes, 5 yes-no, 10 no-yes and 15 no-no is 0.4") {
  ratings_of_one first, second;
  const auto say = [&](double a, double b, int times) {
    for (int i = 0; i < times; ++i) first.push_back(a), second.push_back(b);
  };
  say(1, 1, 20), say(1, 0, 5), say(0, 1, 10), say(0, 0, 15);
  CHECK(*cohen_kappa(first, second) == Approx(0.4));
  first.push_back(std::nullopt), second.push_back(1);
  CHECK(*cohen_kappa(first, second) == Approx(0.4));
}

TEST_CASE("where nothing could disagree there is no figure of agreement") {
  CHECK_FALSE(cohen_kappa({1, 1}, {1, 1}));
  CHECK_FALSE(cohen_kappa({1, {}}, {{}, 1}));
  CHECK_FALSE(krippendorff_alpha({{2, 2}, {2, 2}}, rating_scale::nominal));
  CHECK_FALSE(krippendorff_alpha({}, rating_scale::nominal));
}

TEST_CASE("strengths of two players meet what Davidson's model says of their record") {
  std::vector<comparison_of_two> given;
  add(given, repeated(0, 1, pair_verdict::first, 3000));
  add(given, repeated(1, 0, pair_verdict::first, 1000));
  add(given, repeated(0, 1, pair_verdict::tie, 1000));
  const auto fitted = fit_strengths(2, given);
  CHECK(fitted.of_players[0] - fitted.of_players[1] == Approx(std::log(3)).epsilon(1e-3));
  CHECK(fitted.nu == Approx(1 / std::sqrt(3)).epsilon(2e-3));  // ties / sqrt(wins · losses)
  add(given, repeated(0, 1, pair_verdict::both_bad, 5000));
  CHECK(fit_strengths(2, given).of_players == fitted.of_players);
  CHECK(both_bad_share(given) == Approx(0.5));
  CHECK(win_rate(0, given) == Approx(0.7));
  CHECK_THROWS_AS(fit_strengths(1, given), input_error);
}

TEST_CASE("bootstrap intervals hold the truth, are the seed's, and narrow with more comparisons") {
  std::vector<comparison_of_two> few;
  add(few, repeated(0, 1, pair_verdict::first, 30));
  add(few, repeated(0, 1, pair_verdict::second, 20));
  const auto narrow = judge_arena(2, few, 1, 300).win_rates[0];
  CHECK(narrow.mean == Approx(0.6));
  CHECK(narrow.low < 0.55);
  CHECK(narrow.high > 0.65);
  CHECK(judge_arena(2, few, 1, 300).win_rates[0].low == narrow.low);
  auto many = few;
  for (int i = 0; i < 8; ++i) add(many, few);
  CHECK(judge_arena(2, many, 1, 300).win_rates[0].half_width() < narrow.half_width() / 2);
  const auto all = judge_arena(2, repeated(0, 1, pair_verdict::first, 20), 1, 50);
  CHECK(std::isfinite(all.strengths[0].mean));  // who never lost
}

TEST_CASE("a simulated person says the same twice, and shows the bias, the noise and the laziness given") {
  const auto firsts = [](const simulated_annotator &who, const shown_answer &first,
                         const shown_answer &second) {
    int count = 0;
    for (std::uint64_t question = 0; question < 2000; ++question)
      count += judge_pair(who, question, first, second).verdict == pair_verdict::first ? 1 : 0;
    return count / 2000.0;
  };
  const shown_answer good{1, 100}, bad{0, 400};
  simulated_annotator who{.seed = 7};
  CHECK(firsts(who, good, bad) == 1);
  CHECK(firsts(who, bad, good) == 0);
  who.noise = 1;
  CHECK(firsts(who, good, bad) > 0.6);
  CHECK(firsts(who, good, bad) < 0.8);
  CHECK(judge_pair(who, 5, good, bad).verdict == judge_pair(who, 5, good, bad).verdict);
  CHECK(judge_pair(who, 5, good, bad).seconds == judge_pair(who, 5, good, bad).seconds);
  CHECK(firsts({.seed = 7, .length_bias = 1}, good, bad) == 0);
  CHECK(firsts({.seed = 7, .first_bias = 2}, bad, good) == 1);
  CHECK(firsts({.seed = 7, .laziness = 1}, good, bad) == Approx(0.5).margin(0.05));
  CHECK(judge_pair({.tie_width = 2}, 0, good, bad).verdict == pair_verdict::tie);
  CHECK(judge_pair({.bad_below = 2}, 0, good, bad).verdict == pair_verdict::both_bad);
  CHECK(judge_score({}, 0, {0.5, 1}, 1, 7) == 4);
  CHECK(judge_score({}, 0, {3, 1}, 1, 7) == 7);
  CHECK(judge_ranking({}, 0, {{0.1, 1}, {0.9, 1}, {0.5, 1}}) == std::vector<std::size_t>{1, 2, 0});
  CHECK(judge_good({}, 0, {0.5, 1}));
  CHECK_FALSE(judge_good({}, 0, {0.4, 1}));
}

TEST_CASE("a simulated person's times have the median given") {
  std::vector<double> seconds;
  for (std::uint64_t question = 0; question < 2001; ++question)
    seconds.push_back(judge_pair({.seed = 3, .seconds = 8, .spread = 0.6}, question, {}, {}).seconds);
  std::nth_element(seconds.begin(), seconds.begin() + 1000, seconds.end());
  CHECK(seconds[1000] == Approx(8).epsilon(0.1));
}
