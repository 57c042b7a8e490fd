#include "runtime/feedback/strengths.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include "models/engine/random.hpp"
#include "models/error.hpp"

namespace slipstream {
namespace {

constexpr double prior_variance = 9;

/// How often each outcome was between two players.
struct record_of_two {
  std::size_t first = 0, second = 0;
  double wins = 0, losses = 0, ties = 0;
};

std::vector<record_of_two> add_up(std::size_t players, const std::vector<comparison_of_two> &given) {
  std::vector<record_of_two> all(players * players);
  for (const auto &each : given) {
    if (each.first >= players || each.second >= players || each.first == each.second)
      throw input_error("a comparison is of players " + std::to_string(each.first) + " and " +
                        std::to_string(each.second) + ", and there are " + std::to_string(players));
    const bool swapped = each.first > each.second;
    auto &record = all[std::min(each.first, each.second) * players + std::max(each.first, each.second)];
    record.first = std::min(each.first, each.second);
    record.second = std::max(each.first, each.second);
    if (each.verdict == pair_verdict::tie) record.ties += 1;
    if (each.verdict == pair_verdict::first) (swapped ? record.losses : record.wins) += 1;
    if (each.verdict == pair_verdict::second) (swapped ? record.wins : record.losses) += 1;
  }
  std::erase_if(all, [](const auto &each) { return each.wins + each.losses + each.ties == 0; });
  return all;
}

/// Gradient and negated Hessian of the log-posterior at x: strengths, then log ν.
struct slopes {
  std::vector<double> gradient;
  std::vector<std::vector<double>> curvature;
};

slopes slopes_at(const std::vector<record_of_two> &records, const std::vector<double> &x) {
  const auto size = x.size();
  slopes result{std::vector<double>(size), std::vector<std::vector<double>>(size, std::vector<double>(size))};
  for (std::size_t i = 0; i < size; ++i) {
    result.gradient[i] = -x[i] / prior_variance;
    result.curvature[i][i] = 1 / prior_variance;
  }
  for (const auto &each : records) {
    const double half = (x[each.first] - x[each.second]) / 2, log_nu = x.back();
    const double most = std::max({half, -half, log_nu});
    const double a = std::exp(half - most), b = std::exp(-half - most), c = std::exp(log_nu - most);
    const double win = a / (a + b + c), loss = b / (a + b + c), tie = c / (a + b + c);
    const double count = each.wins + each.losses + each.ties;
    // by `half` and log ν; of s_first half counts 1/2, of s_second -1/2
    const double by_half = each.wins - each.losses - count * (win - loss);
    const double by_nu = each.ties - count * tie;
    const double half_half = count * (win + loss - (win - loss) * (win - loss));
    const double half_nu = -count * tie * (win - loss), nu_nu = count * tie * (1 - tie);
    const std::size_t at[] = {each.first, each.second, size - 1};
    const double along[] = {0.5, -0.5, 0}, nu_along[] = {0, 0, 1};
    for (int i = 0; i < 3; ++i) {
      result.gradient[at[i]] += along[i] * by_half + nu_along[i] * by_nu;
      for (int j = 0; j < 3; ++j)
        result.curvature[at[i]][at[j]] += along[i] * along[j] * half_half +
                                          (along[i] * nu_along[j] + nu_along[i] * along[j]) * half_nu +
                                          nu_along[i] * nu_along[j] * nu_nu;
    }
  }
  return result;
}

/// Solves for a symmetric positive definite matrix (Gauss, without pivots, which it does not need).
std::vector<double> solve(std::vector<std::vector<double>> matrix, std::vector<double> right) {
  const auto size = right.size();
  for (std::size_t i = 0; i < size; ++i)
    for (std::size_t row = i + 1; row < size; ++row) {
      const double factor = matrix[row][i] / matrix[i][i];
      for (std::size_t column = i; column < size; ++column) matrix[row][column] -= factor * matrix[i][column];
      right[row] -= factor * right[i];
    }
  for (std::size_t i = size; i-- > 0;) {
    for (std::size_t column = i + 1; column < size; ++column) right[i] -= matrix[i][column] * right[column];
    right[i] /= matrix[i][i];
  }
  return right;
}

/// Newton's method on a concave function; a step is at most 1 nat, so that it cannot run away.
std::vector<double> most_likely(std::size_t players, const std::vector<record_of_two> &records) {
  std::vector<double> x(players + 1);
  for (int iteration = 0; iteration < 200; ++iteration) {
    const auto at = slopes_at(records, x);
    const auto step = solve(at.curvature, at.gradient);
    double longest = 0;
    for (const double each : step) longest = std::max(longest, std::abs(each));
    for (std::size_t i = 0; i < x.size(); ++i) x[i] += step[i] / std::max(longest, 1.0);
    if (longest < 1e-10) break;
  }
  return x;
}

estimate interval_of(double value, std::vector<double> drawn, double confidence) {
  std::sort(drawn.begin(), drawn.end());
  const auto at = [&](double share) {
    return drawn[static_cast<std::size_t>(share * static_cast<double>(drawn.size() - 1) + 0.5)];
  };
  return {static_cast<std::int64_t>(drawn.size()), value, at((1 - confidence) / 2), at((1 + confidence) / 2)};
}

}  // namespace

strengths fit_strengths(std::size_t players, const std::vector<comparison_of_two> &given) {
  auto x = most_likely(players, add_up(players, given));
  const double nu = std::exp(x.back());
  x.pop_back();
  const double mean =
      std::accumulate(x.begin(), x.end(), 0.0) / static_cast<double>(std::max<std::size_t>(players, 1));
  for (auto &each : x) each -= mean;
  return {std::move(x), nu};
}

double win_rate(std::size_t player, const std::vector<comparison_of_two> &given) {
  double won = 0, counted = 0;
  for (const auto &each : given) {
    if ((each.first != player && each.second != player) || each.verdict == pair_verdict::both_bad) continue;
    ++counted;
    const auto own = each.first == player ? pair_verdict::first : pair_verdict::second;
    won += each.verdict == pair_verdict::tie ? 0.5 : each.verdict == own ? 1 : 0;
  }
  return counted > 0 ? won / counted : 0.5;
}

double both_bad_share(const std::vector<comparison_of_two> &given) {
  const auto bad = std::count_if(given.begin(), given.end(),
                                 [](const auto &each) { return each.verdict == pair_verdict::both_bad; });
  return given.empty() ? 0 : static_cast<double>(bad) / static_cast<double>(given.size());
}

arena_figures judge_arena(std::size_t players, const std::vector<comparison_of_two> &given,
                          std::uint64_t seed, std::size_t draws, double confidence) {
  const auto fitted = fit_strengths(players, given);
  std::vector<std::vector<double>> rates(players), drawn(players);
  auto again = given;
  for (std::size_t draw = 0; draw < std::max<std::size_t>(draws, 1); ++draw) {
    for (std::size_t i = 0; i < given.size(); ++i) {
      const double where = uniform(seed, draw, 0, static_cast<std::uint32_t>(i));
      again[i] = given[static_cast<std::size_t>(where * static_cast<double>(given.size()))];
    }
    const auto of_draw = fit_strengths(players, again);
    for (std::size_t player = 0; player < players; ++player) {
      rates[player].push_back(win_rate(player, again));
      drawn[player].push_back(of_draw.of_players[player]);
    }
  }
  arena_figures result;
  for (std::size_t player = 0; player < players; ++player) {
    result.win_rates.push_back(interval_of(win_rate(player, given), rates[player], confidence));
    result.strengths.push_back(interval_of(fitted.of_players[player], drawn[player], confidence));
  }
  result.nu = fitted.nu;
  result.both_bad = both_bad_share(given);
  return result;
}

}  // namespace slipstream
