#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "models/error.hpp"
#include "models/objectives/rows.hpp"

namespace slipstream {
namespace {

using enum input_kind;
using in = objective_inputs;
using options = objective_options;

void require(const objective_row &row, const at::Tensor &input, const char *what) {
  if (!input.defined())
    throw input_error("loss \"" + std::string(row.name) + "\" needs " + what +
                      ", which its samples do not carry");
}

void require_inputs(const objective_row &row, const in &i, const options &o) {
  const auto needed = needs_of(row, o);
  const bool by_token = row.kind == tokens || row.kind == preference_pairs || row.kind == labelled_answers;
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
  if (!by_token && row.kind != values) require(row, i.scores, "scores");
  if (row.kind == scores) require(row, i.targets, "ratings");
  if (row.kind == score_lists) require(row, i.targets, "places");
  if (row.kind == labels || row.kind == labelled_answers) require(row, i.targets, "labels");
  if (row.kind == labelled_answers) require(row, i.reference_point, "a reference point of the mini-batch");
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
    return {loss, slots_, at::cat(values_), {}, {}};
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
    const auto log_weight = (i.logp.detach() - i.behaviour).masked_fill_(i.mask.eq(0), 0);
    const auto moved = log_weight.exp();  // k3 of (behaviour || policy), as the behaviour drew the tokens
    sheet.mean("kl_behaviour", moved - 1 - log_weight);
    if (!weight.defined()) weight = moved;
  }
  if (i.reference.defined())
    sheet.mean("kl", kl_per_token(i.logp.detach(), i.reference, i.mask, kl_estimator::k3));
  sheet.mean("entropy", i.entropy);
  sheet.mean("clip_fraction", terms.clipped);
  if (i.keep.defined()) sheet.mean("m2po_fraction", i.keep.eq(0));
  sheet.mean("ratio_mean", terms.ratio);
  sheet.largest("ratio_max", terms.ratio);
  if (!weight.defined()) return;
  sheet.mean("weight_mean", weight);
  sheet.mean("weight_square", weight.square());
  sheet.largest("weight_max", weight);
  if (terms.capped.defined()) sheet.mean("weight_capped_fraction", terms.capped.ne(weight));
}

/// What quantiles and the effective sample size are taken of, over the global batch.
void keep_weights(objective_result &result, const policy_terms &terms, const in &i) {
  if (!i.behaviour.defined()) return;
  const auto counted = i.mask.ne(0);
  const auto log_ratio = (i.logp.detach() - i.behaviour).masked_fill_(counted.logical_not(), 0);
  const auto weight = terms.weight.defined() ? terms.weight : log_ratio.exp();
  result.weights = weight.detach().expand_as(counted).masked_select(counted);
  result.sequence_log_weights = log_ratio.sum(1).masked_select(counted.any(1));
}

objective_result evaluate_tokens(const objective_row &row, const in &i, const options &o,
                                 const denominators &global) {
  auto terms = loss_of(row)(i, o);
  if (i.keep.defined() && row.needs.advantages)
    terms.policy.loss = terms.policy.loss.masked_fill(i.keep.eq(0), 0);
  const auto per_token = row.kind == tokens ? regularised(terms.policy.loss, i, o) : terms.policy.loss;
  const auto loss = aggregate(per_token, i.mask, o.aggregate, global, o.horizon);
  const at::NoGradGuard constant;
  metric_sheet sheet(i.mask.to(per_token.scalar_type()));
  if (row.kind == tokens)
    policy_metrics(sheet, terms.policy, i);
  else
    sheet.mean("clip_fraction", terms.policy.clipped);
  for (const auto &[name, figure] : terms.extra) sheet.mean(name, figure);
  auto result = sheet.finish("tokens", loss);
  if (row.kind == tokens) keep_weights(result, terms.policy, i);
  return result;
}

std::string_view name_of_units(input_kind kind) {
  if (kind == score_lists) return "rankings";
  if (kind == labels || kind == labelled_answers) return "answers";
  return kind == scores ? "scores" : "pairs";
}

objective_result evaluate_rows(const objective_row &row, const in &i, const options &o,
                               const denominators &global) {
  const bool of_pairs = row.kind == score_pairs || row.kind == preference_pairs;
  const double units = of_pairs ? global.sequences / 2 : global.sequences;
  if (!(units > 0))
    throw input_error("loss \"" + std::string(row.name) + "\" got an empty batch: give it samples");
  const auto terms = loss_of(row)(i, o);
  const auto loss = terms.policy.loss.sum() / units;
  const at::NoGradGuard constant;
  metric_sheet sheet(at::ones_like(terms.policy.loss));
  for (const auto &[name, figure] : terms.extra) sheet.mean(name, figure);
  return sheet.finish(name_of_units(row.kind), loss);
}

}  // namespace

denominators count(const objective_row &row, const objective_inputs &inputs) {
  if (row.kind == tokens || row.kind == values) return count_tokens(inputs.mask);
  if (row.kind == score_lists) return {0, inputs.targets.eq(1).sum().item<double>()};
  const auto &computed =
      row.kind == preference_pairs || row.kind == labelled_answers ? inputs.logp : inputs.scores;
  const auto &units = inputs.mask.defined() ? inputs.mask : computed;  // known before the forward pass
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
    total.kind = result.metrics[i].kind;
    total.value =
        total.kind == metric_kind::largest ? std::max(total.value, value[i]) : total.value + value[i];
    total.weight += value[0];
  }
}

/// Share of the returns' variance that the values explain, from the means of both and of the squares.
static void explain_variance(std::map<std::string, double> &figures) {
  const auto error = figures.find("value_error_square"), square = figures.find("return_square");
  if (error == figures.end() || square == figures.end()) return;
  const double mean = figures.at("return_mean"), bias = mean - figures.at("value_mean");
  const double variance = square->second - mean * mean;
  if (variance > 0) figures["explained_variance"] = 1 - (error->second - bias * bias) / variance;
  figures.erase(error);
  figures.erase(square);
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
  explain_variance(figures);
  return figures;
}

}  // namespace slipstream
