#include "runtime/scoring/score_check.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "models/error.hpp"

namespace slipstream {
namespace {

constexpr std::string_view mend =
    "; nothing was trained on it. A scorer must give each answer one number that float32 holds";

bool is_number(double value) {
  return std::abs(value) <= std::numeric_limits<float>::max();  // false for what is no number
}

// A prompt's beginning, on one line.
std::string prompt_of(const rollout_group &group) {
  constexpr std::size_t most = 60;
  std::string text;
  for (const char c : group.source->prompt.substr(0, most))
    text += static_cast<unsigned char>(c) < 32 ? ' ' : c;
  return fmt::format("prompt {} (\"{}{}\")", group.source->id, text,
                     group.source->prompt.size() > most ? "…" : "");
}

}  // namespace

void check_scores(const group_scores &given) {
  const auto &group = *given.group;
  const auto fail = [&](const std::string &what) {
    throw run_error(fmt::format("[actors.{}] gave {} of {}{}", given.scorer, what, prompt_of(group), mend));
  };
  if (given.scores.size() != group.rollouts.size())
    fail(fmt::format("{} scores for the {} answers", given.scores.size(), group.rollouts.size()));
  for (std::size_t i = 0; i < given.scores.size(); ++i)
    if (!is_number(given.scores[i]))
      fail(fmt::format("the score {} to answer {} of {}", given.scores[i], i + 1, given.scores.size()));
}

void check_token_figures(const std::vector<std::vector<float>> &figures, const rollout_group &group,
                         const std::string &who) {
  const auto fail = [&](const std::string &what) {
    throw run_error(fmt::format("{} gave {} of {}; nothing was trained on it", who, what, prompt_of(group)));
  };
  if (figures.size() != group.rollouts.size())
    fail(fmt::format("figures of {} answers for the {}", figures.size(), group.rollouts.size()));
  for (std::size_t i = 0; i < figures.size(); ++i) {
    if (figures[i].size() != group.rollouts[i].tokens.size())
      fail(fmt::format("{} figures for the {} tokens of answer {}", figures[i].size(),
                       group.rollouts[i].tokens.size(), i + 1));
    for (const float figure : figures[i])
      if (std::isnan(figure)) fail(fmt::format("a figure that is no number to answer {}", i + 1));
  }
}

void check_rewards(const std::vector<double> &rewards, const rollout_group &group,
                   const std::map<std::string, std::vector<double>> &scores) {
  for (std::size_t i = 0; i < rewards.size(); ++i) {
    if (is_number(rewards[i])) continue;
    std::string parts;
    for (const auto &[scorer, given] : scores)
      parts += fmt::format("{}{} of [actors.{}]", parts.empty() ? "" : ", ", given.at(i), scorer);
    throw run_error(fmt::format("the reward of answer {} of {} is {} ({}){}; lower the weights", i + 1,
                                prompt_of(group), rewards[i], parts, mend));
  }
}

}  // namespace slipstream
