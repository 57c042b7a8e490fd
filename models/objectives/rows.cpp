#include "models/objectives/rows.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <limits>

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
  const auto capped = cap_importance_weights(weight, weight_cap::truncate, 0, o.vtrace.pg_rho);
  auto terms = reinforce(i.logp, i.advantages * capped);
  terms.weight = weight;
  terms.capped = capped;
  return {terms, {}};
}
/// REINFORCE by importance weights of the weights being trained, constant to the gradient and capped.
objective_terms weighted_reinforce(const in &i, const options &o) {
  const auto weight = importance_weights(i.logp, i.behaviour, i.mask, o.weights.level);
  const auto capped = cap_importance_weights(weight, o.weights.cap, o.weights.low, o.weights.high);
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

/// Where neither answer of a pair is better: both carry the same rating.
at::Tensor ties(const in &i) {
  return i.targets.defined() ? chosen(i.targets).eq(rejected(i.targets)) : at::Tensor();
}
/// Of two answers that are rated alike neither can be the right one: a tie counts half.
at::Tensor right_order(const at::Tensor &difference, const at::Tensor &tie) {
  const auto right = difference.gt(0).to(difference.scalar_type());
  return tie.defined() ? right.masked_fill(tie, 0.5) : right;
}

objective_terms reward_pairs(const in &i, const options &o) {
  const auto good = chosen(i.scores), bad = rejected(i.scores);
  const auto difference = (good - bad).detach(), tie = ties(i);
  if (o.nu == 0 && tie.defined() && tie.any().item<bool>())
    throw input_error(
        "loss \"reward_pairs\" got a tie; write nu = 1 (how likely ties are), or leave ties out");
  auto loss = bradley_terry(good, bad, i.margin, o.centring);
  if (o.nu > 0) {
    const auto apart = i.margin.defined() ? good - bad - i.margin : good - bad;
    loss = davidson(apart, tie.defined() ? tie : at::zeros_like(apart, at::kBool),
                    at::scalar_tensor(std::log(o.nu), apart.options()));
    if (o.centring != 0) loss = loss + (good + bad).square() * o.centring;
  }
  auto terms =
      objective_terms{{.loss = loss}, {{"accuracy", right_order(difference, tie)}, {"margin", difference}}};
  if (tie.defined()) terms.extra.push_back({"tie_fraction", tie});
  return terms;
}
/// Labels are 1 or 0; other numbers are ratings, which another loss learns.
void expect_labels(const in &i, std::string_view loss) {
  if ((i.targets.eq(0) | i.targets.eq(1)).all().item<bool>()) return;
  throw input_error("loss \"" + std::string(loss) + "\" got a label that is neither 1 (good) nor 0 (bad)");
}
objective_terms reward_binary(const in &i, const options &o) {
  expect_labels(i, "reward_binary");
  const auto right = i.scores.detach().gt(0).eq(i.targets.gt(0.5));
  return {{.loss = binary_cross_entropy(i.scores, i.targets, o.positive_weight, o.label_smoothing)},
          {{"accuracy", right}, {"score_mean", i.scores.detach()}}};
}
objective_terms reward_rankings(const in &i, const options &o) {
  const auto rows = rows_of_lists(i.scores, i.targets);
  const auto seen =
      rows.scores.detach().masked_fill(rows.present.logical_not(), -std::numeric_limits<double>::infinity());
  return {{.loss = plackett_luce(rows.scores, rows.present, o.per_place)},
          {{"accuracy", seen.argmax(1).eq(0)}}};
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

objective_terms kto_row(const in &i, const options &o) {
  expect_labels(i, "kto");
  const auto log_ratio = ((i.logp - i.reference) * i.mask.to(i.logp.scalar_type())).sum(1);
  const auto gained = (log_ratio.detach() - i.reference_point) * o.beta;
  return {{.loss = kto(log_ratio, i.targets, i.reference_point, {o.beta, o.lambda_good, o.lambda_bad})},
          {{"accuracy", gained.gt(0).eq(i.targets.gt(0.5))},
           {"margin", at::where(i.targets.gt(0.5), gained, -gained)},
           {"reference_point", i.reference_point.expand_as(gained)}}};
}

constexpr struct {
  std::string_view name;
  objective_loss loss;
} losses[] = {
    {"sft", sft},
    {"reinforce", reinforce_row},
    {"ppo", ppo},
    {"ppo_recomputed", ppo_recomputed},
    {"grpo", ppo},
    {"dr_grpo", ppo},
    {"dapo", ppo},
    {"ppo_dual_clip", dual},
    {"decoupled_ppo", decoupled},
    {"tis", decoupled},
    {"icepop", decoupled},
    {"mis", decoupled},
    {"m2po", m2po},
    {"gspo", gspo_row},
    {"cispo", cispo_row},
    {"vtrace", vtrace_row},
    {"on_policy_distillation", weighted_reinforce},
    {"value", value},
    {"reward_pairs", reward_pairs},
    {"reward_scores", reward_scores},
    {"reward_binary", reward_binary},
    {"reward_rankings", reward_rankings},
    {"dpo", dpo_row},
    {"kto", kto_row},
};

}  // namespace

objective_loss loss_of(const objective_row &row) {
  for (const auto &[name, loss] : losses)
    if (name == row.name) return loss;
  throw input_error("loss \"" + std::string(row.name) + "\" is in the table, and nothing computes it");
}

}  // namespace slipstream
