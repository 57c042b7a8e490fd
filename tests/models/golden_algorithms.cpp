// Every reference value of the folder, in float64 and in float32; dispatch is on the file's "case".
#include <ATen/ATen.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "models/network/operations.hpp"
#include "models/objectives/advantages.hpp"
#include "models/objectives/aggregate.hpp"
#include "models/objectives/corrections.hpp"
#include "models/objectives/kl.hpp"
#include "models/objectives/optimizer.hpp"
#include "models/objectives/policy_losses.hpp"
#include "models/objectives/returns.hpp"
#include "models/objectives/rows.hpp"
#include "models/objectives/supervised.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

void flatten(const nlohmann::json &node, std::vector<double> &values) {
  if (node.is_array())
    for (const auto &item : node) flatten(item, values);
  else
    values.push_back(node.is_boolean() ? (node.get<bool>() ? 1.0 : 0.0) : node.get<double>());
}

at::Tensor tensor_of(const nlohmann::json &node) {
  std::vector<std::int64_t> shape;
  for (const auto *level = &node; level->is_array(); level = &level->at(0))
    shape.push_back(static_cast<std::int64_t>(level->size()));
  std::vector<double> values;
  flatten(node, values);
  return at::tensor(values, at::kDouble).view(shape);
}

/// One file in one floating type. Every expected array has to be checked once.
class golden_case {
 public:
  golden_case(nlohmann::json file, at::ScalarType type) : file_(std::move(file)), type_(type) {
    for (const auto &[name, value] : file_.at("expected").items()) unchecked_.insert(name);
  }

  double param(const char *name) const { return file_.at("params").at(name).get<double>(); }
  std::int64_t whole(const char *name) const { return file_.at("params").at(name).get<std::int64_t>(); }
  at::Tensor input(const char *name) const { return tensor_of(file_.at("inputs").at(name)).to(type_); }
  at::Tensor integers(const char *name) const { return tensor_of(file_.at("inputs").at(name)).to(at::kLong); }
  at::Tensor leaf(const char *name) const { return input(name).requires_grad_(true); }

  void expect(const std::string &name, const at::Tensor &got) {
    INFO(name);
    CAPTURE(file_.at("case").get<std::string>(), type_ == at::kDouble);
    REQUIRE(unchecked_.erase(name) == 1);
    const auto wanted = tensor_of(file_.at("expected").at(name));
    REQUIRE(got.sizes() == wanted.sizes());
    const auto actual = got.detach().to(at::kDouble);
    REQUIRE(at::isfinite(actual).all().item<bool>());
    const double scale = wanted.abs().max().item<double>();
    const double distance = (actual - wanted).abs().max().item<double>();
    if (scale == 0)
      CHECK(distance == 0);
    else
      CHECK(distance / scale <= (type_ == at::kDouble ? 1e-9 : 2e-5));
  }
  void expect(const std::string &name, double got) { expect(name, at::scalar_tensor(got, at::kDouble)); }

  /// Checks a loss and its gradient in `leaf`, which is cleared for the next one.
  void expect_loss(const std::string &name, const std::string &gradient, const at::Tensor &loss,
                   at::Tensor leaf) {
    expect(name, loss);
    expect_gradient(gradient, loss, leaf);
  }
  void expect_gradient(const std::string &name, const at::Tensor &loss, at::Tensor leaf) {
    leaf.mutable_grad().reset();
    loss.backward({}, true);
    expect(name, leaf.grad());
    leaf.mutable_grad().reset();
  }
  bool complete() const { return unchecked_.empty(); }

 private:
  nlohmann::json file_;
  at::ScalarType type_;
  std::set<std::string> unchecked_;
};

at::Tensor aggregated(const at::Tensor &x, const at::Tensor &mask, aggregation how = aggregation::token_mean,
                      double horizon = 0) {
  return aggregate(x, mask, how, count_tokens(mask), horizon);
}
at::Tensor token_mean(const at::Tensor &x, const at::Tensor &mask) {
  return aggregated(x, mask);
}
clip_bounds bounds(const golden_case &c) {
  return {c.param("eps_low"), c.param("eps_high")};
}

/// The same loss through the table, as a learner calls it.
objective_result by_row(const char *name, const objective_inputs &inputs, const objective_options &options) {
  const auto &row = find_objective(name);
  return evaluate(row, inputs, options, count(row, inputs));
}
double metric(const objective_result &result, const char *name) {
  metric_totals totals;
  add_metrics(totals, result);
  return finish_metrics(totals).at(name);
}

/// Pairs as rows: chosen, rejected, chosen, rejected …
at::Tensor interleaved(const at::Tensor &good, const at::Tensor &bad) {
  return at::stack({good, bad}, 1).flatten();
}

void check_adamw(golden_case &c) {
  const auto parameters = c.input("parameters"), gradients = c.input("gradients");
  auto state = fresh_adamw(parameters);
  const adamw_options options{c.param("beta1"), c.param("beta2"), c.param("eps"), c.param("weight_decay")};
  std::vector<double> norms;
  for (std::int64_t i = 0; i < gradients.size(0); ++i) {
    norms.push_back(gradient_norm(gradients[i]));
    adamw_step(parameters, gradients[i], state, options, c.param("lr"),
               clip_scale(norms.back(), c.param("max_grad_norm"), c.param("clip_eps")));
  }
  c.expect("parameters", parameters);
  c.expect("grad_norms", at::tensor(norms, at::kDouble));
}

void check_adaptive_kl(golden_case &c) {
  const auto kl = c.input("kl");
  std::vector<double> betas;
  double beta = c.param("initial");
  for (std::int64_t i = 0; i < kl.size(0); ++i)
    betas.push_back(beta =
                        adapt_kl_coefficient(beta, kl[i].item<double>(), c.param("target"), c.param("gain")));
  c.expect("beta", at::tensor(betas, at::kDouble));
}

void check_cispo(golden_case &c) {
  const auto logp = c.leaf("logp"), mask = c.input("mask");
  const auto result = by_row(
      "cispo",
      {.mask = mask, .logp = logp, .behaviour = c.input("old_logp"), .advantages = c.input("advantages")},
      {.clip = bounds(c)});
  c.expect_loss("loss", "grad", result.loss, logp);
}

void check_davidson(golden_case &c) {
  const auto first = c.leaf("first"), second = c.leaf("second"), log_nu = c.leaf("log_nu");
  const auto outcome = c.integers("outcome"), tie = outcome.eq(2);
  const auto apart = at::where(outcome.eq(1), second - first, first - second);
  const auto loss = davidson(apart, tie, log_nu).mean();
  c.expect_loss("loss", "grad_first", loss, first);
  c.expect_gradient("grad_second", loss, second);
  c.expect_gradient("grad_log_nu", loss, log_nu);
  // and as a learner calls it: a tie carries equal ratings
  const auto better = at::where(outcome.eq(1), second, first),
             worse = at::where(outcome.eq(1), first, second);
  const auto rated = at::where(tie, at::full_like(better, 0.5), at::ones_like(better));
  const auto row =
      by_row("reward_pairs", {.scores = interleaved(better, worse), .targets = interleaved(rated, 1 - rated)},
             {.nu = std::exp(log_nu.item<double>())});
  CHECK(row.loss.item<double>() == Approx(loss.item<double>()).epsilon(1e-6));
}

void check_decoupled_ppo(golden_case &c) {
  const auto logp = c.leaf("logp"), mask = c.input("mask");
  const objective_inputs inputs{.mask = mask,
                                .logp = logp,
                                .behaviour = c.input("behaviour_logp"),
                                .proximal = c.input("proximal_logp"),
                                .advantages = c.input("advantages")};
  objective_options options{.clip = bounds(c), .weights = {.high = c.param("cap")}};
  const auto uncapped = by_row("decoupled_ppo", inputs, options);
  c.expect_loss("loss_uncapped", "grad_uncapped", uncapped.loss, logp);
  c.expect("mean_weight", metric(uncapped, "weight_mean"));
  options.weights.cap = weight_cap::truncate;
  c.expect_loss("loss_truncated", "grad_truncated", by_row("decoupled_ppo", inputs, options).loss, logp);
  options.weights.cap = weight_cap::mask;
  c.expect_loss("loss_masked", "grad_masked", by_row("decoupled_ppo", inputs, options).loss, logp);
}

void check_dpo(golden_case &c) {
  const auto good = c.leaf("policy_chosen"), bad = c.leaf("policy_rejected");
  const auto reference_good = c.input("reference_chosen"), reference_bad = c.input("reference_rejected");
  const auto loss = dpo(good, bad, reference_good, reference_bad, c.param("beta")).loss.mean();
  c.expect_loss("loss", "grad", loss, good);
  c.expect_gradient("grad_rejected", loss, bad);
  const auto smoothed =
      dpo(good, bad, reference_good, reference_bad, c.param("beta"), c.param("label_smoothing")).loss.mean();
  c.expect_loss("loss_smoothed", "grad_smoothed", smoothed, good);
}

void check_entropy(golden_case &c) {
  const auto logits = c.leaf("logits");
  c.expect_loss("entropy", "grad", token_mean(token_entropy(logits), c.input("mask")), logits);
}

void check_gae(golden_case &c) {
  const auto result = gae(c.input("rewards"), c.input("values"), c.input("bootstrap"), c.input("mask"),
                          c.param("gamma"), c.param("lambda_"));
  c.expect("advantages", result.advantages);
  c.expect("returns", result.returns);
}

void check_gdpo(golden_case &c) {
  const auto rewards = c.input("rewards");
  const auto of_groups = gdpo_advantages(rewards, c.input("weights"), c.param("eps"));
  c.expect("advantages_group", of_groups);
  const auto flat = of_groups.to(at::kDouble).contiguous();
  const auto by =
      standardising({flat.data_ptr<double>(), flat.data_ptr<double>() + flat.numel()}, c.param("eps"));
  c.expect("advantages", (flat - by.mean) * by.scale);
}

void check_grpo(golden_case &c) {
  c.expect("advantages", advantages_of(find_advantage("grpo"), c.input("rewards"), {c.param("eps")}));
  c.expect("advantages_dr", advantages_of(find_advantage("dr_grpo"), c.input("rewards"), {}));
}

void check_gspo(golden_case &c) {
  const auto logp = c.leaf("logp"), mask = c.input("mask"), advantages = c.input("advantages").unsqueeze(1);
  const auto terms = gspo(logp, c.input("old_logp"), advantages, mask, bounds(c));
  c.expect("ratio", terms.ratio.squeeze(1));
  const auto result =
      by_row("gspo", {.mask = mask, .logp = logp, .behaviour = c.input("old_logp"), .advantages = advantages},
             {.aggregate = find_objective("gspo").defaults.aggregate, .clip = bounds(c)});
  c.expect_loss("loss", "grad", result.loss, logp);
}

void check_importance_weights(golden_case &c) {
  const auto proximal = c.input("proximal_logp"), behaviour = c.input("behaviour_logp"),
             mask = c.input("mask");
  const double low = c.param("c_low"), high = c.param("c_high");
  const auto weights = importance_weights(proximal, behaviour, mask);
  c.expect("truncated", cap_importance_weights(weights, weight_cap::truncate, low, high) * mask);
  c.expect("masked", cap_importance_weights(weights, weight_cap::mask, low, high) * mask);
  const auto of_sequence = [&](weight_level level) {
    return importance_weights(proximal, behaviour, mask, level).squeeze(1);
  };
  c.expect("sequence_product", of_sequence(weight_level::sequence_product));
  c.expect("sequence_geometric", of_sequence(weight_level::sequence_geometric));
  const auto size = effective_sample_size(weights, mask);
  c.expect("ess", size.count);
  c.expect("ess_ratio", size.ratio);
}

void check_kl_estimators(golden_case &c) {
  const auto logp = c.leaf("logp"), reference = c.input("ref_logp"), mask = c.input("mask");
  for (const std::string name : {"k1", "k2", "k3"})
    c.expect_loss(name, "grad_" + name,
                  token_mean(kl_per_token(logp, reference, mask, parse_kl_estimator(name)), mask), logp);
}

void check_kl_straight_through(golden_case &c) {
  const auto logp = c.leaf("logp"), reference = c.input("ref_logp"), mask = c.input("mask");
  const auto value = kl_per_token(logp, reference, mask, kl_estimator::k3_through);
  c.expect_loss("value", "grad", token_mean(value, mask), logp);
  const auto weighted = kl_per_token(logp, reference, mask, kl_estimator::k3) *
                        kl_weight(logp, c.input("behaviour_logp"), mask, c.param("cap"));
  c.expect_loss("weighted", "grad_weighted", token_mean(weighted, mask), logp);
}

void check_kto(golden_case &c) {
  const auto policy = c.leaf("policy"), reference = c.input("reference"), labels = c.input("labels");
  const auto point = kto_reference_point(c.input("mismatched_policy") - c.input("mismatched_reference"));
  c.expect("reference_point", point);
  const auto result = by_row(
      "kto",
      {.mask = at::ones({labels.size(0), 1}, labels.options()),
       .logp = policy.unsqueeze(1),
       .reference = reference.unsqueeze(1),
       .targets = labels,
       .reference_point = point},
      {.beta = c.param("beta"), .lambda_good = c.param("lambda_good"), .lambda_bad = c.param("lambda_bad")});
  c.expect_loss("loss", "grad", result.loss, policy);
}

void check_lr_schedule(golden_case &c) {
  for (const std::string name : {"cosine", "linear"}) {
    const learning_rate_schedule schedule{parse_schedule_shape(name), c.param("lr"), c.whole("warmup"),
                                          c.whole("total"), c.param("final_ratio")};
    std::vector<double> rates;
    for (std::int64_t step = 0; step < c.whole("total") + 3; ++step)
      rates.push_back(learning_rate(schedule, step));
    c.expect(name, at::tensor(rates, at::kDouble));
  }
}

void check_m2po_mask(golden_case &c) {
  c.expect("kept",
           m2po_mask(c.input("proximal_logp"), c.input("behaviour_logp"), c.input("mask"), c.param("tau")));
}

void check_on_policy_distillation(golden_case &c) {
  const auto logp = c.leaf("logp"), behaviour = c.input("behaviour"), teacher = c.input("teacher"),
             mask = c.input("mask");
  auto advantages = at::zeros_like(teacher, at::kDouble);
  for (std::int64_t row = 0; row < mask.size(0); ++row)
    for (std::int64_t t = 0; t < mask.size(1); ++t)
      advantages[row][t] =
          distillation_advantage(teacher[row][t].item<double>(), behaviour[row][t].item<double>(),
                                 c.param("coefficient"), c.param("clip")) *
          mask[row][t].item<double>();
  c.expect("advantages", advantages);
  auto options = find_objective("on_policy_distillation").defaults;
  options.weights.high = c.param("cap");
  const auto result = by_row(
      "on_policy_distillation",
      {.mask = mask, .logp = logp, .behaviour = behaviour, .advantages = advantages.to(logp.scalar_type())},
      options);
  c.expect_loss("loss", "grad", result.loss, logp);
}

void check_overlong_penalty(golden_case &c) {
  const auto lengths = c.integers("lengths");
  std::vector<double> penalties;
  for (std::int64_t i = 0; i < lengths.size(0); ++i)
    penalties.push_back(
        overlong_penalty(lengths[i].item<std::int64_t>(), c.whole("max_length"), c.whole("cache")));
  c.expect("penalty", at::tensor(penalties, at::kDouble));
}

void check_plackett_luce(golden_case &c) {
  const auto scores = c.leaf("scores");
  const auto places =
      at::arange(1, scores.size(1) + 1, scores.options().requires_grad(false)).repeat(scores.size(0));
  const objective_inputs inputs{.scores = scores.flatten(), .targets = places};
  c.expect_loss("loss", "grad", by_row("reward_rankings", inputs, {}).loss, scores);
  c.expect_loss("loss_per_place", "grad_per_place",
                by_row("reward_rankings", inputs, {.per_place = true}).loss, scores);
}

void check_ppo_clip(golden_case &c) {
  const auto logp = c.leaf("logp"), mask = c.input("mask");
  const objective_inputs inputs{
      .mask = mask, .logp = logp, .behaviour = c.input("old_logp"), .advantages = c.input("advantages")};
  for (const std::string name :
       {"token_mean", "seq_mean_token_mean", "seq_mean_token_sum", "seq_mean_token_sum_norm"}) {
    const auto result =
        by_row("ppo", inputs,
               {.aggregate = parse_aggregation(name), .horizon = c.param("horizon"), .clip = bounds(c)});
    c.expect_loss("loss_" + name, "grad_" + name, result.loss, logp);
    if (name == "token_mean") c.expect("clip_fraction", metric(result, "clip_fraction"));
  }
  // the divergence from the old policy, which drew the tokens: k3 of (old || new)
  c.expect("approx_kl_k3", token_mean(kl_per_token(inputs.behaviour, logp, mask, kl_estimator::k3), mask));
}

void check_ppo_dual_clip(golden_case &c) {
  const auto logp = c.leaf("logp"), mask = c.input("mask");
  const auto result = by_row(
      "ppo_dual_clip",
      {.mask = mask, .logp = logp, .behaviour = c.input("old_logp"), .advantages = c.input("advantages")},
      {.clip = bounds(c), .dual_clip = c.param("dual_clip")});
  c.expect_loss("loss", "grad", result.loss, logp);
}

void check_proximal_interpolation(golden_case &c) {
  c.expect("proximal_logp",
           interpolate_proximal(c.input("logp"), c.input("behaviour_logp"), c.integers("token_versions"),
                                c.input("mask"), c.whole("version")));
}

void check_reinforce(golden_case &c) {
  const auto logp = c.leaf("logp");
  const auto result =
      by_row("reinforce", {.mask = c.input("mask"), .logp = logp, .advantages = c.input("advantages")}, {});
  c.expect_loss("loss", "grad", result.loss, logp);
}

void check_reinforce_pp(golden_case &c) {
  const auto result = reinforce_pp(c.input("scores"), c.input("logp"), c.input("ref_logp"), c.input("mask"),
                                   c.param("beta"), c.param("gamma"), c.param("eps"));
  c.expect("returns", result.returns);
  c.expect("advantages", result.advantages);
}

void check_reinforce_pp_baseline(golden_case &c) {
  c.expect("advantages", reinforce_pp_baseline(c.input("rewards"), c.param("eps")));
}

void check_reward_binary(golden_case &c) {
  const auto scores = c.leaf("scores");
  const objective_inputs inputs{.scores = scores, .targets = c.input("labels")};
  const auto plain = by_row("reward_binary", inputs, {});
  c.expect_loss("loss", "grad", plain.loss, scores);
  c.expect("accuracy", metric(plain, "accuracy"));
  c.expect_loss("loss_weighted", "grad_weighted",
                by_row("reward_binary", inputs, {.positive_weight = c.param("positive_weight")}).loss,
                scores);
  c.expect_loss("loss_smoothed", "grad_smoothed",
                by_row("reward_binary", inputs, {.label_smoothing = c.param("label_smoothing")}).loss,
                scores);
}

void check_reward_model(golden_case &c) {
  const auto good = c.leaf("chosen"), bad = c.leaf("rejected");
  objective_inputs pairs{.scores = interleaved(good, bad)};
  const auto plain = by_row("reward_pairs", pairs, {});
  c.expect_loss("bradley_terry", "grad_bradley_terry", plain.loss, good);
  c.expect_gradient("grad_rejected", plain.loss, bad);
  c.expect("accuracy", metric(plain, "accuracy"));
  c.expect_loss("bradley_terry_centred", "grad_bradley_terry_centred",
                by_row("reward_pairs", pairs, {.centring = 0.01}).loss, good);
  pairs.margin = c.input("margin");
  c.expect_loss("bradley_terry_margin", "grad_bradley_terry_margin", by_row("reward_pairs", pairs, {}).loss,
                good);
  c.expect_loss("mse", "grad_mse",
                by_row("reward_scores", {.scores = good, .targets = c.input("scores")}, {}).loss, good);
}

void check_rloo(golden_case &c) {
  c.expect("advantages", advantages_of(find_advantage("rloo"), c.input("rewards"), {}));
}

void check_sft(golden_case &c) {
  const auto logits = c.leaf("logits"), labels = c.integers("labels");
  const auto logp = label_logprobs(logits, labels);
  c.expect("token_logp", logp);
  c.expect("entropy", token_entropy(logits));
  const auto result = by_row("sft", {.mask = label_mask(labels, logits), .logp = logp}, {});
  c.expect_loss("loss", "grad", result.loss, logits);
}

void check_value_loss(golden_case &c) {
  const auto values = c.leaf("values");
  const auto result = by_row("value",
                             {.mask = c.input("mask"),
                              .values = values,
                              .old_values = c.input("old_values"),
                              .returns = c.input("returns")},
                             {.value_clip = c.param("eps")});
  c.expect_loss("loss", "grad", result.loss, values);
}

void check_vtrace(golden_case &c) {
  const auto result =
      vtrace(c.input("log_rhos"), c.input("discounts"), c.input("rewards"), c.input("values"),
             c.input("bootstrap"), {c.param("clip_rho"), c.param("clip_c"), c.param("clip_pg_rho")});
  c.expect("vs", result.values);
  c.expect("pg_advantages", result.advantages);
}

void check_whiten(golden_case &c) {
  c.expect("whitened", whiten(c.input("x"), c.input("mask"), c.param("eps")));
  c.expect("whitened_keep_mean", whiten(c.input("x"), c.input("mask"), c.param("eps"), true));
}

kept_rows sets_of(const at::Tensor &kept) {  // [N,V] 0/1
  kept_rows result;
  for (std::int64_t i = 0; i < kept.size(0); ++i) {
    kept_tokens own{{0}, {}};
    for (std::int64_t token = 0; token < kept.size(1); ++token)
      if (kept[i][token].item<double>() != 0) own.ids.push_back(token);
    own.counts[0] = std::ssize(own.ids);
    result.add(own);
  }
  return result;
}

void check_kept_logprobs(golden_case &c) {
  const auto logits = c.leaf("logits");
  const auto ids = c.integers("tokens");
  const auto logp = ops::token_logprobs(logits.flatten(0, 1), ids.flatten(), 1 / c.param("temperature"),
                                        sets_of(c.input("kept").flatten(0, 1)), numerics::fast)
                        .view_as(ids);
  c.expect("logp", logp * c.input("mask"));
  c.expect_loss("loss", "grad", token_mean(-logp, c.input("mask")), logits);
}

const std::map<std::string, std::function<void(golden_case &)>> checks = {
    {"adamw", check_adamw},
    {"adaptive_kl", check_adaptive_kl},
    {"cispo", check_cispo},
    {"davidson", check_davidson},
    {"decoupled_ppo", check_decoupled_ppo},
    {"dpo", check_dpo},
    {"entropy", check_entropy},
    {"gae", check_gae},
    {"gdpo", check_gdpo},
    {"grpo", check_grpo},
    {"gspo", check_gspo},
    {"importance_weights", check_importance_weights},
    {"kept_logprobs", check_kept_logprobs},
    {"kl_estimators", check_kl_estimators},
    {"kl_straight_through", check_kl_straight_through},
    {"kto", check_kto},
    {"lr_schedule", check_lr_schedule},
    {"m2po_mask", check_m2po_mask},
    {"on_policy_distillation", check_on_policy_distillation},
    {"overlong_penalty", check_overlong_penalty},
    {"plackett_luce", check_plackett_luce},
    {"ppo_clip", check_ppo_clip},
    {"ppo_dual_clip", check_ppo_dual_clip},
    {"proximal_interpolation", check_proximal_interpolation},
    {"reinforce", check_reinforce},
    {"reinforce_pp", check_reinforce_pp},
    {"reinforce_pp_baseline", check_reinforce_pp_baseline},
    {"reward_binary", check_reward_binary},
    {"reward_model", check_reward_model},
    {"rloo", check_rloo},
    {"sft", check_sft},
    {"value_loss", check_value_loss},
    {"vtrace", check_vtrace},
    {"whiten", check_whiten},
};

/// Cases that other tests walk the same folder for: runtime/admission.cpp, runtime/agreement.cpp, and the
/// sampler's own.
const std::set<std::string> elsewhere = {"agreement", "staleness_admission", "sampling_filters"};

}  // namespace

TEST_CASE("every golden algorithm case is met in float64 and float32") {
  int files = 0;
  for (const auto &entry : std::filesystem::directory_iterator(test::golden("algorithms"))) {
    if (entry.path().extension() != ".json") continue;
    INFO(entry.path().string());
    ++files;
    const auto file = nlohmann::json::parse(std::ifstream(entry.path()));
    const auto name = file.at("case").get<std::string>();
    if (elsewhere.count(name)) continue;
    const auto check = checks.find(name);
    if (check == checks.end()) {
      FAIL_CHECK("no check is known for the case \"" << name << "\"");
      continue;
    }
    for (const auto type : {at::kDouble, at::kFloat}) {
      golden_case c(file, type);
      check->second(c);
      CHECK(c.complete());
    }
  }
  CHECK(files > 0);
}
