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
objective_terms ppo(const in &i, const options &o) {
  return {ppo_clip(i.logp, i.behaviour, i.advantages, i.mask, o.clip), {}};
}
objective_terms ppo_recomputed(const in &i, const options &o) {
  return {ppo_clip(i.logp, i.proximal, i.advantages, i.mask, o.clip), {}};
}
objective_terms dual(const in &i, const options &o) {
  return {ppo_dual_clip(i.logp, i.behaviour, i.advantages, i.mask, o.clip, o.dual_clip), {}};
}
objective_terms decoupled(const in &i, const options &o) {
  return {decoupled_ppo(i.logp, i.proximal, i.behaviour, i.advantages, i.mask, o.clip, o.weights), {}};
}
objective_terms gspo_row(const in &i, const options &o) {
  return {gspo(i.logp, i.behaviour, i.advantages, i.mask, o.clip), {}};
}
objective_terms cispo_row(const in &i, const options &o) {
  return {cispo(i.logp, i.behaviour, i.advantages, i.mask, o.clip), {}};
}
objective_terms value(const in &i, const options &o) {
  const auto terms = value_loss(i.values, i.old_values, i.returns, o.value_clip);
  return {{.loss = terms.loss, .clipped = terms.clipped},
          {{"value_mean", i.values.detach()}, {"return_mean", i.returns}}};
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

constexpr objective_row rows[] = {
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
    {"gspo",
     tokens,
     anchored,
     "behaviour_clip",
     {.aggregate = seq_mean_token_mean, .clip = {3e-4, 4e-4}},
     gspo_row,
     "arXiv:2507.18071"},
    {"cispo", tokens, anchored, "truncated", {.clip = {1, 4}}, cispo_row, "arXiv:2506.13585"},
    {"value", values, {}, "none", {}, value, "clipped value loss of OpenAI baselines"},
    {"reward_pairs", score_pairs, {}, "offline", {}, reward_pairs, "arXiv:2203.02155"},
    {"reward_scores", scores, {}, "offline", {}, reward_scores, "mean squared error"},
    {"dpo", preference_pairs, {.reference = true}, "offline", {}, dpo_row, "arXiv:2305.18290"},
};

void require(const objective_row &row, const at::Tensor &input, const char *what) {
  if (!input.defined())
    throw input_error("loss \"" + std::string(row.name) + "\" needs " + what +
                      ", which its samples do not carry");
}

void require_inputs(const objective_row &row, const in &i, const options &o) {
  const auto needed = needs_of(row, o);
  const bool by_token = row.kind == tokens || row.kind == preference_pairs;
  if (by_token) require(row, i.logp, "log-probabilities");
  if (by_token || row.kind == values) require(row, i.mask, "a mask");
  if (needed.behaviour) require(row, i.behaviour, "behaviour log-probabilities");
  if (needed.proximal) require(row, i.proximal, "proximal log-probabilities");
  if (needed.reference) require(row, i.reference, "reference log-probabilities");
  if (needed.advantages) require(row, i.advantages, "advantages");
  if (row.kind == tokens && o.entropy_coefficient != 0) require(row, i.entropy, "entropies");
  if (row.kind == values)
    for (const auto *t : {&i.values, &i.old_values, &i.returns})
      require(row, *t, "values, old values and returns");
  if (row.kind == score_pairs || row.kind == scores) require(row, i.scores, "scores");
  if (row.kind == scores) require(row, i.targets, "ratings");
}

/// Collects per-token (or per-row) figures and turns them into sums with one product.
class metric_sheet {
 public:
  explicit metric_sheet(at::Tensor counted) : counted_(std::move(counted)) {}

  void mean(std::string_view name, const at::Tensor &x) {
    if (!x.defined()) return;
    slots_.push_back({name, metric_kind::mean});
    columns_.push_back(x.detach().to(counted_.scalar_type()).expand_as(counted_).reshape(-1));
  }
  void largest(std::string_view name, const at::Tensor &x) {
    if (!x.defined()) return;
    singles_.push_back({name, metric_kind::largest});
    values_.push_back((x.detach() * counted_).amax().view(1));
  }
  void sum(std::string_view name, const at::Tensor &scalar) {
    singles_.push_back({name, metric_kind::sum});
    values_.push_back(scalar.detach().view(1));
  }
  objective_result finish(std::string_view count_name, const at::Tensor &loss) {
    sum("loss", loss);
    const auto flat = counted_.reshape(-1);
    columns_.insert(columns_.begin(), at::ones_like(flat));
    values_.insert(values_.begin(), at::stack(columns_).mv(flat));
    slots_.insert(slots_.begin(), {count_name, metric_kind::sum});
    slots_.insert(slots_.end(), singles_.begin(), singles_.end());
    return {loss, slots_, at::cat(values_)};
  }

 private:
  at::Tensor counted_;
  std::vector<metric_slot> slots_, singles_;
  std::vector<at::Tensor> columns_, values_;
};

/// KL and entropy terms join the per-token loss, so that one aggregation serves all.
at::Tensor regularised(const at::Tensor &loss, const in &i, const options &o) {
  auto result = loss;
  if (o.kl_coefficient != 0) {
    auto kl = kl_per_token(i.logp, i.reference, i.mask, o.kl);
    if (o.kl_cap > 0 && i.behaviour.defined()) kl = kl * kl_weight(i.logp, i.behaviour, i.mask, o.kl_cap);
    result = result + kl * o.kl_coefficient;
  }
  if (o.entropy_coefficient != 0) result = result - i.entropy * o.entropy_coefficient;
  return result;
}

void policy_metrics(metric_sheet &sheet, const policy_terms &terms, const in &i) {
  auto weight = terms.weight;
  if (i.behaviour.defined()) {
    const auto kl = kl_per_token(i.behaviour, i.logp.detach(), i.mask, kl_estimator::k1);
    sheet.mean("kl_behaviour", kl);
    if (!weight.defined()) weight = kl.neg().exp_();  // of the policy against the behaviour
  }
  if (i.reference.defined())
    sheet.mean("kl", kl_per_token(i.logp.detach(), i.reference, i.mask, kl_estimator::k3));
  sheet.mean("entropy", i.entropy);
  sheet.mean("clip_fraction", terms.clipped);
  sheet.mean("ratio_mean", terms.ratio);
  sheet.largest("ratio_max", terms.ratio);
  if (!weight.defined()) return;
  sheet.mean("weight_mean", weight);
  sheet.mean("weight_square", weight.square());
  sheet.largest("weight_max", weight);
  if (terms.capped.defined()) sheet.mean("weight_capped_fraction", terms.capped.ne(weight));
}

objective_result evaluate_tokens(const objective_row &row, const in &i, const options &o,
                                 const denominators &global) {
  const auto terms = row.loss(i, o);
  const auto per_token = row.kind == tokens ? regularised(terms.policy.loss, i, o) : terms.policy.loss;
  const auto loss = aggregate(per_token, i.mask, o.aggregate, global, o.horizon);
  const at::NoGradGuard constant;
  metric_sheet sheet(i.mask.to(per_token.scalar_type()));
  if (row.kind == tokens)
    policy_metrics(sheet, terms.policy, i);
  else
    sheet.mean("clip_fraction", terms.policy.clipped);
  for (const auto &[name, figure] : terms.extra) sheet.mean(name, figure);
  return sheet.finish("tokens", loss);
}

objective_result evaluate_rows(const objective_row &row, const in &i, const options &o,
                               const denominators &global) {
  const double units = row.kind == scores ? global.sequences : global.sequences / 2;
  if (!(units > 0))
    throw input_error("loss \"" + std::string(row.name) + "\" got an empty batch: give it samples");
  const auto terms = row.loss(i, o);
  const auto loss = terms.policy.loss.sum() / units;
  const at::NoGradGuard constant;
  metric_sheet sheet(at::ones_like(terms.policy.loss));
  for (const auto &[name, figure] : terms.extra) sheet.mean(name, figure);
  return sheet.finish(row.kind == scores ? "scores" : "pairs", loss);
}

}  // namespace

std::span<const objective_row> objective_rows() {
  return rows;
}

const objective_row &find_objective(std::string_view name) {
  std::string known;
  for (const auto &row : rows) {
    if (row.name == name) return row;
    known += (known.empty() ? "" : ", ") + std::string(row.name);
  }
  throw input_error("unknown loss \"" + std::string(name) + "\": choose one of " + known);
}

objective_needs needs_of(const objective_row &row, const objective_options &o) {
  auto needed = row.needs;
  needed.reference |= row.kind == tokens && o.kl_coefficient != 0;
  return needed;
}

denominators count(const objective_row &row, const objective_inputs &inputs) {
  if (row.kind == tokens || row.kind == values) return count_tokens(inputs.mask);
  const auto &units = row.kind == preference_pairs ? inputs.logp : inputs.scores;
  return {0, static_cast<double>(units.size(0))};
}

objective_result evaluate(const objective_row &row, const objective_inputs &inputs,
                          const objective_options &o, const denominators &global) {
  require_inputs(row, inputs, o);
  const bool by_token = row.kind == tokens || row.kind == values;
  return by_token ? evaluate_tokens(row, inputs, o, global) : evaluate_rows(row, inputs, o, global);
}

void add_metrics(metric_totals &totals, const objective_result &result) {
  const auto values = result.values.to(at::kCPU, at::kDouble).contiguous();
  const double *value = values.data_ptr<double>();
  for (std::size_t i = 0; i < result.metrics.size(); ++i) {
    auto &total = totals[std::string(result.metrics[i].name)];
    const bool fresh = total.weight == 0;
    total.kind = result.metrics[i].kind;
    total.value = total.kind != metric_kind::largest ? total.value + value[i]
                  : fresh                            ? value[i]
                                                     : std::max(total.value, value[i]);
    total.weight += value[0];
  }
}

std::map<std::string, double> finish_metrics(const metric_totals &totals) {
  std::map<std::string, double> figures;
  for (const auto &[name, total] : totals)
    figures[name] =
        total.kind == metric_kind::mean && total.weight > 0 ? total.value / total.weight : total.value;
  const auto mean = figures.find("weight_mean"), square = figures.find("weight_square");
  if (mean != figures.end() && square != figures.end() && square->second > 0) {
    figures["ess"] = mean->second * mean->second / square->second;
    figures.erase(square);
  }
  return figures;
}

}  // namespace slipstream
