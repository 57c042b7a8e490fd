#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/feedback/verdict.hpp"
#include "runtime/laboratory/statistics.hpp"

namespace slipstream {

/// One blind comparison of two players, which are numbers from 0.
struct comparison_of_two {
  std::size_t first = 0, second = 0;
  pair_verdict verdict = pair_verdict::tie;
};

/// How strong players are by Bradley-Terry with Davidson's ties (Davidson 1970): i beats j, j beats i and a
/// tie are as likely as exp(s_i) : exp(s_j) : ν exp((s_i + s_j) / 2). Comparisons of which both answers were
/// bad say nothing of who is better, and stay out.
struct strengths {
  std::vector<double> of_players;  ///< in nats, with a mean of 0
  double nu = 0;
};
/// The most likely strengths under a weak prior, N(0, 3²) on each and on log ν, which keeps them finite for
/// players who never lost, and keeps apart players who never met. Throws input_error for a player that there
/// is not.
strengths fit_strengths(std::size_t players, const std::vector<comparison_of_two> &given);

/// A player's record against all others: wins and half the ties, as a share of what was not both bad.
double win_rate(std::size_t player, const std::vector<comparison_of_two> &given);
/// The share of comparisons of which both answers were bad.
double both_bad_share(const std::vector<comparison_of_two> &given);

struct arena_figures {
  std::vector<estimate> win_rates, strengths;  ///< a player each, with percentile intervals
  double nu = 0, both_bad = 0;
};
/// Intervals by the bootstrap (Efron 1979): comparisons are drawn anew with replacement `draws` times.
arena_figures judge_arena(std::size_t players, const std::vector<comparison_of_two> &given,
                          std::uint64_t seed, std::size_t draws = 1000, double confidence = 0.95);

}  // namespace slipstream
