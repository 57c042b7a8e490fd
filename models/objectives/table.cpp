#include "models/objectives/table.hpp"

#include <cmath>
#include <numeric>
#include <string>

#include "models/error.hpp"

namespace slipstream {
namespace {

using enum input_kind;
using enum aggregation;
constexpr objective_needs on_policy{.advantages = true};
constexpr objective_needs by_behaviour{.behaviour = true, .advantages = true};
constexpr objective_needs recomputed{.proximal = true, .advantages = true};
constexpr objective_needs both{.behaviour = true, .proximal = true, .advantages = true};
constexpr objective_needs corrected{
    .behaviour = true, .proximal = true, .advantages = true, .corrected = true};

constexpr objective_row all_objectives[] = {
    {"sft", tokens, {}, "offline", {}, "cross entropy"},
    {"reinforce", tokens, on_policy, "none", {}, "Williams 1992"},
    {"ppo", tokens, by_behaviour, "behaviour_clip", {}, "arXiv:1707.06347"},
    {"ppo_recomputed", tokens, recomputed, "none", {}, "arXiv:1707.06347"},
    {"grpo", tokens, by_behaviour, "behaviour_clip", {.aggregate = seq_mean_token_mean}, "arXiv:2402.03300"},
    {"dr_grpo",
     tokens,
     by_behaviour,
     "behaviour_clip",
     {.aggregate = seq_mean_token_sum_norm},
     "arXiv:2503.20783"},
    {"dapo", tokens, by_behaviour, "behaviour_clip", {.clip = {0.2, 0.28}}, "arXiv:2503.14476"},
    {"ppo_dual_clip", tokens, by_behaviour, "behaviour_clip", {}, "arXiv:1912.09729"},
    {"decoupled_ppo", tokens, both, "decoupled", {}, "arXiv:2505.24298"},
    {"tis",
     tokens,
     both,
     "truncated",
     {.weights = {.cap = weight_cap::truncate}},
     "truncated importance sampling: weights at most 2"},
    {"icepop",
     tokens,
     both,
     "masked",
     {.weights = {.cap = weight_cap::mask, .low = 0.5, .high = 5}},
     "IcePop: tokens whose weight lies outside [0.5, 5] do not count"},
    {"mis",
     tokens,
     both,
     "masked",
     {.weights = {weight_cap::mask, weight_level::sequence_geometric, 0.9, 1.1}},
     "masked importance sampling: sequences whose geometric mean weight lies outside the bounds do not "
     "count"},
    {"m2po", tokens, both, "masked", {.m2po_tau = 0.04}, "arXiv:2510.01161"},
    {"gspo",
     tokens,
     by_behaviour,
     "behaviour_clip",
     {.aggregate = seq_mean_token_mean, .clip = {3e-4, 4e-4}},
     "arXiv:2507.18071"},
    {"cispo", tokens, by_behaviour, "truncated", {.clip = {1, 4}}, "arXiv:2506.13585"},
    {"vtrace", tokens, corrected, "vtrace", {}, "arXiv:1802.01561"},
    {"on_policy_distillation",
     tokens,
     by_behaviour,
     "truncated",
     {.weights = {.cap = weight_cap::truncate}},
     "on-policy distillation (arXiv:2306.13649): the reverse KL of every token as its advantage"},
    {"value", values, {}, "none", {}, "clipped value loss of OpenAI baselines"},
    {"reward_pairs", score_pairs, {}, "offline", {}, "arXiv:2203.02155"},
    {"reward_scores", scores, {}, "offline", {}, "mean squared error"},
    {"reward_binary", labels, {}, "offline", {}, "binary cross entropy of the score as a logit"},
    {"reward_rankings", score_lists, {}, "offline", {}, "Plackett 1975, Luce 1959"},
    {"dpo", preference_pairs, {.reference = true}, "offline", {}, "arXiv:2305.18290"},
    {"kto", labelled_answers, {.reference = true}, "offline", {}, "arXiv:2402.01306"},
};

constexpr advantage_row all_advantages[] = {
    {"grpo", 2, "arXiv:2402.03300"},
    {"dr_grpo", 2, "arXiv:2503.20783"},
    {"rloo", 2, "arXiv:2402.14740"},
    {"reinforce", 1, "Williams 1992"},
    {"reinforce_centred", 2, "Williams 1992, with the group's mean as baseline"},
    {"reinforce_pp_baseline", 2, "arXiv:2501.03262, with the group's mean as baseline", whitening},
    {"gdpo", 2, "arXiv:2601.05242, each reward by itself",
     [](std::span<const double> values) { return standardising(values); }, true},
};

}  // namespace

std::span<const objective_row> objective_rows() {
  return all_objectives;
}

const objective_row &find_objective(std::string_view name) {
  std::string known;
  for (const auto &row : all_objectives) {
    if (row.name == name) return row;
    known += (known.empty() ? "" : ", ") + std::string(row.name);
  }
  throw input_error("unknown loss \"" + std::string(name) + "\": choose one of " + known);
}

const objective_row &cross_entropy() {
  return all_objectives[0];
}

objective_needs needs_of(const objective_row &row, const objective_options &o) {
  auto needed = row.needs;
  needed.reference |= row.kind == tokens && o.kl_coefficient != 0;
  return needed;
}

normalisation whitening(std::span<const double> values) {
  const auto count = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return {mean, 1 / std::sqrt(squares / count + 1e-8)};
}

normalisation standardising(std::span<const double> values, double eps) {
  const auto count = static_cast<double>(values.size());
  const double mean = std::accumulate(values.begin(), values.end(), 0.0) / count;
  double squares = 0;
  for (const double value : values) squares += (value - mean) * (value - mean);
  return {mean, 1 / (std::sqrt(squares / std::max(count - 1, 1.0)) + eps)};
}

std::span<const advantage_row> advantage_rows() {
  return all_advantages;
}

const advantage_row &find_advantage(std::string_view name) {
  std::string known;
  for (const auto &row : all_advantages) {
    if (row.name == name) return row;
    known += (known.empty() ? "" : ", ") + std::string(row.name);
  }
  throw input_error("unknown advantage \"" + std::string(name) + "\": choose one of " + known);
}

}  // namespace slipstream
