#include "models/objectives/rows.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include "models/error.hpp"
#include "models/objectives/returns.hpp"
#include "models/objectives/supervised.hpp"

namespace slipstream {
namespace {

using in = objective_inputs;
using options = objective_options;

objective_terms sft(const in &i, const options &) {
  return {{.loss = i.logp.neg()}, {}};
}
objective_terms reinforce_row(const in &i, const options &) {
  return {reinforce(i.logp, i.advantages), {}};
}
/// What each token keeps of its clip range; undefined where all keep all of it.
at::Tensor bounds_kept(const in &i, const options &o) {
  return o.stale_clip == 0 || !i.age.defined() ? at::Tensor() : stale_scale(i.age, o.stale_clip);
}
objective_terms ppo(const in &i, const options &o) {
  return {ppo_clip(i.logp, i.behaviour, i.advantages, i.mask, o.clip, bounds_kept(i, o)), {}};
}
objective_terms ppo_recomputed(const in &i, const options &o) {
  return {ppo_clip(i.logp, i.proximal, i.advantages, i.mask, o.clip, bounds_kept(i, o)), {}};
}
objective_terms dual(const in &i, const options &o) {
  return {ppo_dual_clip(i.logp, i.behaviour, i.advantages, i.mask, o.clip, o.dual_clip, bounds_kept(i, o)),
          {}};
}
objective_terms decoupled(const in &i, const options &o) {
  return {decoupled_ppo(i.logp, i.proximal, i.behaviour, i.advantages, i.mask, o.clip, o.weights,
                        bounds_kept(i, o)),
          {}};
}
objective_terms m2po(const in &i, const options &) {
  return {unclipped(i.logp, i.behaviour, i.advantages, i.mask), {}};
}
objective_terms gspo_row(const in &i, const options &o) {
  return {gspo(i.logp, i.behaviour, i.advantages, i.mask, o.clip), {}};
}
objective_terms cispo_row(const in &i, const options &o) {
  return {cispo(i.logp, i.behaviour, i.advantages, i.mask, o.clip), {}};
}
objective_terms vtrace_row(const in &i, const options &o) {
  const auto weight = importance_weights(i.proximal, i.behaviour, i.mask);
  const auto capped = cap_weights(weight, weight_cap::truncate, 0, o.vtrace.pg_rho);
  auto terms = reinforce(i.logp, i.advantages * capped);
  terms.weight = weight;
  terms.capped = capped;
  return {terms, {}};
}
/// REINFORCE by importance weights of the weights being trained, constant to the gradient and capped.
objective_terms weighted_reinforce(const in &i, const options &o) {
  const auto weight = importance_weights(i.logp, i.behaviour, i.mask, o.weights.level);
  const auto capped = cap_weights(weight, o.weights.cap, o.weights.low, o.weights.high);
  auto terms = reinforce(i.logp, i.advantages * capped);
  terms.ratio = terms.weight = weight;
  terms.capped = capped;
  return {terms, {}};
}
objective_terms value(const in &i, const options &o) {
  const auto terms = value_loss(i.values, i.old_values, i.returns, o.value_clip);
  return {{.loss = terms.loss, .clipped = terms.clipped},
          {{"value_mean", i.values.detach()},
           {"return_mean", i.returns},
           {"return_square", i.returns.square()},
           {"value_error_square", (i.returns - i.values.detach()).square()}}};
}

at::Tensor chosen(const at::Tensor &rows) {
  return rows.view({-1, 2}).select(1, 0);
}
at::Tensor rejected(const at::Tensor &rows) {
  return rows.view({-1, 2}).select(1, 1);
}

objective_terms reward_pairs(const in &i, const options &o) {
  const auto good = chosen(i.scores), bad = rejected(i.scores);
  const auto difference = (good - bad).detach();
  return {{.loss = bradley_terry(good, bad, i.margin, o.centring)},
          {{"accuracy", difference.gt(0)}, {"margin", difference}}};
}
objective_terms reward_scores(const in &i, const options &) {
  return {{.loss = (i.scores - i.targets).square()}, {{"score_mean", i.scores.detach()}}};
}
objective_terms dpo_row(const in &i, const options &o) {
  const auto counted = i.mask.to(i.logp.scalar_type());
  const auto policy = (i.logp * counted).sum(1), reference = (i.reference * counted).sum(1);
  const auto terms = dpo(chosen(policy), rejected(policy), chosen(reference), rejected(reference), o.beta,
                         o.label_smoothing);
  const auto gained = (policy.detach() - reference) * o.beta;
  return {{.loss = terms.loss},
          {{"accuracy", terms.margin.gt(0)},
           {"margin", terms.margin},
           {"chosen_reward", chosen(gained)},
           {"rejected_reward", rejected(gained)}}};
}

using enum input_kind;
using enum aggregation;
constexpr objective_needs on_policy{.advantages = true};
constexpr objective_needs anchored{.behaviour = true, .advantages = true};
constexpr objective_needs recomputed{.proximal = true, .advantages = true};
constexpr objective_needs both{.behaviour = true, .proximal = true, .advantages = true};
constexpr objective_needs corrected{
    .behaviour = true, .proximal = true, .advantages = true, .corrected = true};

constexpr objective_row all_objectives[] = {
    {"sft", tokens, {}, "offline", {}, sft, "cross entropy"},
    {"reinforce", tokens, on_policy, "none", {}, reinforce_row, "Williams 1992"},
    {"ppo", tokens, anchored, "behaviour_clip", {}, ppo, "arXiv:1707.06347"},
    {"ppo_recomputed", tokens, recomputed, "none", {}, ppo_recomputed, "arXiv:1707.06347"},
    {"grpo", tokens, anchored, "behaviour_clip", {.aggregate = seq_mean_token_mean}, ppo, "arXiv:2402.03300"},
    {"dr_grpo",
     tokens,
     anchored,
     "behaviour_clip",
     {.aggregate = seq_mean_token_sum_norm},
     ppo,
     "arXiv:2503.20783"},
    {"dapo", tokens, anchored, "behaviour_clip", {.clip = {0.2, 0.28}}, ppo, "arXiv:2503.14476"},
    {"ppo_dual_clip", tokens, anchored, "behaviour_clip", {}, dual, "arXiv:1912.09729"},
    {"decoupled_ppo", tokens, both, "decoupled", {}, decoupled, "arXiv:2505.24298"},
    {"tis",
     tokens,
     both,
     "truncated",
     {.weights = {.cap = weight_cap::truncate}},
     decoupled,
     "truncated importance sampling: weights at most 2"},
    {"icepop",
     tokens,
     both,
     "masked",
     {.weights = {.cap = weight_cap::mask, .low = 0.5, .high = 5}},
     decoupled,
     "IcePop: tokens whose weight lies outside [0.5, 5] do not count"},
    {"mis",
     tokens,
     both,
     "masked",
     {.weights = {weight_cap::mask, weight_level::sequence_geometric, 0.9, 1.1}},
     decoupled,
     "masked importance sampling: sequences whose geometric mean weight lies outside the bounds do not "
     "count"},
    {"m2po", tokens, both, "masked", {.m2po_tau = 0.04}, m2po, "arXiv:2510.01161"},
    {"gspo",
     tokens,
     anchored,
     "behaviour_clip",
     {.aggregate = seq_mean_token_mean, .clip = {3e-4, 4e-4}},
     gspo_row,
     "arXiv:2507.18071"},
    {"cispo", tokens, anchored, "truncated", {.clip = {1, 4}}, cispo_row, "arXiv:2506.13585"},
    {"vtrace", tokens, corrected, "vtrace", {}, vtrace_row, "arXiv:1802.01561"},
    {"on_policy_distillation",
     tokens,
     anchored,
     "truncated",
     {.weights = {.cap = weight_cap::truncate}},
     weighted_reinforce,
     "on-policy distillation (arXiv:2306.13649): the reverse KL of every token as its advantage"},
    {"value", values, {}, "none", {}, value, "clipped value loss of OpenAI baselines"},
    {"reward_pairs", score_pairs, {}, "offline", {}, reward_pairs, "arXiv:2203.02155"},
    {"reward_scores", scores, {}, "offline", {}, reward_scores, "mean squared error"},
    {"dpo", preference_pairs, {.reference = true}, "offline", {}, dpo_row, "arXiv:2305.18290"},
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

}  // namespace slipstream
