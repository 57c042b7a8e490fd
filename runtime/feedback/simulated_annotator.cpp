#include "runtime/feedback/simulated_annotator.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include "models/engine/random.hpp"

namespace slipstream {
namespace {

/// Which random number of a question is meant.
enum class draw_of : std::uint32_t { laziness, unread, hours, minutes, noise };

double random_of(const simulated_annotator &who, std::uint64_t question, draw_of what,
                 std::uint32_t which = 0) {
  return uniform(who.seed, question, static_cast<std::uint32_t>(what), which);
}

bool is_lazy(const simulated_annotator &who, std::uint64_t question) {
  return random_of(who, question, draw_of::laziness) < who.laziness;
}

/// What an answer seems worth to this person.
double seen(const simulated_annotator &who, std::uint64_t question, const shown_answer &answer,
            std::size_t place) {
  const double noise = std::max(who.noise + who.drift * static_cast<double>(question) / 1000, 0.0);
  const double u =
      std::max(random_of(who, question, draw_of::noise, static_cast<std::uint32_t>(place)), 1e-12);
  return answer.worth + who.length_bias * static_cast<double>(answer.length) / 100 +
         (place == 0 ? who.first_bias : 0) + noise * std::log(u / (1 - u));
}

double seconds_of(const simulated_annotator &who, std::uint64_t question) {
  const double u = std::max(random_of(who, question, draw_of::hours), 1e-12);  // Box and Muller 1958
  const double normal = std::sqrt(-2 * std::log(u)) *
                        std::cos(2 * std::numbers::pi * random_of(who, question, draw_of::minutes));
  return who.seconds * std::exp(who.spread * normal);
}

}  // namespace

simulated_judgement judge_pair(const simulated_annotator &who, std::uint64_t question,
                               const shown_answer &first, const shown_answer &second) {
  const double seconds = seconds_of(who, question);
  if (is_lazy(who, question))
    return {random_of(who, question, draw_of::unread) < 0.5 ? pair_verdict::first : pair_verdict::second,
            seconds};
  const double a = seen(who, question, first, 0), b = seen(who, question, second, 1);
  if (a < who.bad_below && b < who.bad_below) return {pair_verdict::both_bad, seconds};
  if (a == b || std::abs(a - b) < who.tie_width) return {pair_verdict::tie, seconds};
  return {a > b ? pair_verdict::first : pair_verdict::second, seconds};
}

double judge_score(const simulated_annotator &who, std::uint64_t question, const shown_answer &answer,
                   int low, int high) {
  const double worth =
      is_lazy(who, question) ? random_of(who, question, draw_of::unread) : seen(who, question, answer, 0);
  return std::clamp(std::round(low + worth * (high - low)), static_cast<double>(low),
                    static_cast<double>(high));
}

bool judge_good(const simulated_annotator &who, std::uint64_t question, const shown_answer &answer) {
  if (is_lazy(who, question)) return random_of(who, question, draw_of::unread) < 0.5;
  return seen(who, question, answer, 0) >= 0.5;
}

std::vector<std::size_t> judge_ranking(const simulated_annotator &who, std::uint64_t question,
                                       const std::vector<shown_answer> &answers) {
  std::vector<double> worth;
  for (std::size_t i = 0; i < answers.size(); ++i)
    worth.push_back(is_lazy(who, question)
                        ? random_of(who, question, draw_of::unread, static_cast<std::uint32_t>(i))
                        : seen(who, question, answers[i], i));
  std::vector<std::size_t> order(answers.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return worth[a] > worth[b]; });
  return order;
}

}  // namespace slipstream
