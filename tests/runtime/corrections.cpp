// What a learner does with a whole batch before it is cut: whitening, M2PO's mask, steps scaled by the
// effective sample size; and what it keeps from one update to the next.
#include <ATen/ATen.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "models/objectives/advantages.hpp"
#include "models/objectives/corrections.hpp"
#include "models/objectives/returns.hpp"
#include "runtime/learning/importance_weight_figures.hpp"
#include "runtime/learning/reinforce_pp.hpp"
#include "runtime/learning/trainer.hpp"
#include "tests/support/small_batches.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using test::group_of;
using test::options_of;
using test::small_model;

namespace {

std::vector<sample_group_ptr> a_batch() {
  return {group_of(0, {1, -1}), group_of(1, {0.5F, -2}), group_of(2, {0, 0}), group_of(3, {3, 1})};
}

trained_version train(trainer &core, const std::vector<sample_group_ptr> &batch) {
  core.begin(batch, 0);
  while (core.slice()) {
  }
  return core.complete(0);
}

double difference(const trained_version &a, const trained_version &b) {
  return (a.weights->trainable() - b.weights->trainable()).abs().max().item<double>();
}

/// [B,T] of float64, shorter rows filled with 0, from one array of each sample.
at::Tensor table(const std::vector<sample_group_ptr> &batch, std::vector<float> sample::*values,
                 bool mask = false) {
  std::vector<at::Tensor> rows;
  for (const auto &group : batch)
    for (const auto &entry : group->samples) {
      auto row = at::zeros({4}, at::kDouble);
      for (std::size_t t = 0; t < (entry.*values).size(); ++t)
        row[static_cast<std::int64_t>(t)] = mask ? 1.0 : double{(entry.*values)[t]};
      rows.push_back(row);
    }
  return at::stack(rows);
}

}  // namespace

TEST_CASE("whitened tokens are REINFORCE++'s, over the batch and not over a micro-batch") {
  auto batch = a_batch();
  std::vector<double> scores;
  std::vector<sample_group_ptr> samples;
  for (const auto &group : batch) {
    auto source = std::make_shared<rollout_group>();
    auto line = std::make_shared<example>();
    line->id = group->id;
    source->source = line;
    joined_group joined{source, {}, {}};
    std::vector<double> rewards;
    for (const auto &entry : group->samples) {
      generation rollout;
      rollout.tokens.assign(entry.tokens.begin() + 2, entry.tokens.end());
      rollout.logprobs = entry.behaviour;
      source->rollouts.push_back(rollout);
      joined.reference.push_back(entry.reference);
      rewards.push_back(entry.score);
      scores.push_back(entry.score);
    }
    samples.push_back(std::make_shared<sample_group>(
        reinforce_pp_samples(joined, rewards, {.gamma = 0.9, .kl_in_reward = 0.2})));
  }
  const auto mask = table(batch, &sample::behaviour, true);
  const auto wanted = reinforce_pp(at::tensor(scores, at::kDouble), table(batch, &sample::behaviour),
                                   table(batch, &sample::reference), mask, 0.2, 0.9);
  CHECK(at::allclose(table(samples, &sample::advantages), wanted.returns, 1e-6, 1e-6));
  const auto got = normalised_advantages(statistics_scope::tokens, whitening).of_samples(samples);
  CHECK(at::allclose(table(got, &sample::advantages), wanted.advantages, 1e-5, 1e-6));
}

TEST_CASE("whitened sequences are REINFORCE++'s with a baseline") {
  std::vector<std::vector<double>> rewards{{1, 0}, {0.5, -2}, {4, 4}, {3, 1}};
  const auto &row = find_advantage("reinforce_pp_baseline");
  REQUIRE(row.over_batch == whitening);
  std::vector<sample_group_ptr> batch;
  std::vector<at::Tensor> table_rows;
  for (std::size_t i = 0; i < rewards.size(); ++i) {
    const auto centred = group_advantages(row, rewards[i]);
    batch.push_back(group_of(i, {static_cast<float>(centred[0]), static_cast<float>(centred[1])}));
    table_rows.push_back(at::tensor(rewards[i], at::kDouble));
  }
  const auto wanted = reinforce_pp_baseline(at::stack(table_rows));
  const auto got = normalised_advantages(statistics_scope::sequences, row.over_batch).of_samples(batch);
  for (std::size_t i = 0; i < got.size(); ++i)
    for (std::size_t j = 0; j < 2; ++j)
      for (const auto value : got[i]->samples[j].advantages)
        CHECK(value ==
              Approx(wanted[static_cast<std::int64_t>(i)][static_cast<std::int64_t>(j)].item<double>())
                  .epsilon(1e-5)
                  .margin(1e-6));
}

TEST_CASE("GDPO takes each reward by itself, and its batch by the sample deviation") {
  const auto &row = find_advantage("gdpo");
  // a reward of another size changes nothing but by its weight
  const std::map<std::string, std::vector<double>> scores{{"far", {100, 300, 200}}, {"near", {1, 0, 0.5}}};
  for (const auto advantage : group_advantages(row, scores, {})) CHECK(advantage == Approx(0).margin(1e-4));
  const auto weighted = group_advantages(row, scores, {{"far", 2.0}});
  CHECK(weighted[1] == Approx(1).epsilon(1e-5));
  CHECK(weighted[2] == Approx(0).margin(1e-12));
  CHECK(group_advantages(row, {{"near", {2, 2, 2}}}, {}) == std::vector<double>(3, 0.0));
  CHECK_THROWS_WITH(group_advantages(row, {{"near", {1}}}, {}), test::Contains("raise the sampler's group"));
  const auto alone = gdpo_advantages(at::ones({2, 1, 3}, at::kDouble), at::ones({3}, at::kDouble));
  CHECK(at::equal(alone, at::zeros({2, 1}, at::kDouble)));
  const std::vector<double> one{3}, two{1, 3};
  CHECK((3 - row.over_batch(one).mean) * row.over_batch(one).scale == 0);
  CHECK(row.over_batch(two).scale == Approx(1 / std::sqrt(2.0)).epsilon(1e-5));
}

TEST_CASE("what is taken over the whole batch does not change with the micro-batches") {
  for (const char *loss : {"m2po", "decoupled_ppo", "tis", "icepop", "mis"}) {
    CAPTURE(loss);
    std::vector<trained_version> made;
    for (const std::int64_t micro : {1, 3, 8}) {
      auto options = options_of(loss);
      options.micro_batch = micro;
      options.ess_scaling = true;
      options.transforms = {normalised_advantages(statistics_scope::tokens, whitening)};
      trainer core(options, small_model());
      made.push_back(train(core, a_batch()));
    }
    for (const std::size_t other : {1u, 2u}) {
      CHECK(difference(made[0], made[other]) < 4e-6);  // MKL sums other shapes in other orders
      for (const char *name : {"loss", "step_scale", "ess", "weight_p05", "weight_p95"}) {
        CAPTURE(name);
        CHECK(made[0].metrics[name].get<double>() ==
              Approx(made[other].metrics[name].get<double>()).epsilon(1e-4).margin(1e-6));
      }
    }
  }
}

TEST_CASE("M2PO's mask takes its moment over the whole batch") {
  const auto model = small_model();
  auto options = options_of("m2po");
  options.loss.m2po_tau = 0.3;
  trainer core(options, model);
  const auto made = train(core, a_batch());
  std::vector<const sample *> samples;
  const auto batch = a_batch();
  for (const auto &group : batch)
    for (const auto &entry : group->samples) samples.push_back(&entry);
  const auto whole = collate(samples, 0, at::kCPU);
  const auto proximal = batch_logprobs(model, whole.tokens, 1.0).logprobs.detach();
  const auto kept = m2po_mask(proximal, whole.inputs.behaviour, whole.inputs.mask, 0.3);
  const auto share = 1 - (kept.sum() / whole.inputs.mask.sum()).item<double>();
  CHECK(share > 0.05);
  CHECK(share < 0.95);
  CHECK(made.metrics["m2po_fraction"].get<double>() == Approx(share).epsilon(1e-6));
  options.loss.m2po_tau = 1e9;
  trainer unmasked(options, model);
  CHECK(difference(made, train(unmasked, a_batch())) > 1e-4);
  CHECK(core.gradient(a_batch()).norm > 0);
}

TEST_CASE("steps shrink with the root of the effective sample size of the sequences") {
  const auto model = small_model();
  auto options = options_of("ppo");
  trainer plain(options, model);
  options.ess_scaling = true;
  trainer scaled(options, model);
  options.ess_base = 0.001;
  trainer lenient(options, model);
  const auto one = train(plain, a_batch()), two = train(scaled, a_batch()), three = train(lenient, a_batch());
  std::vector<const sample *> samples;
  const auto batch = a_batch();
  for (const auto &group : batch)
    for (const auto &entry : group->samples) samples.push_back(&entry);
  const auto whole = collate(samples, 0, at::kCPU);
  const auto logs =
      ((batch_logprobs(model, whole.tokens, 1.0).logprobs - whole.inputs.behaviour) * whole.inputs.mask)
          .sum(1)
          .detach();
  const double scale = two.metrics["step_scale"];
  CHECK(scale == Approx(std::sqrt(effective_share(logs))).epsilon(1e-5));
  CHECK(scale < 0.95);
  CHECK(two.metrics["learning_rate"].get<double>() == Approx(1e-2 * scale).epsilon(1e-6));
  CHECK(three.metrics["step_scale"] == 1.0);
  CHECK(difference(one, three) == 0);
  CHECK_FALSE(one.metrics.contains("step_scale"));
  CHECK(difference(one, two) > 1e-5);
}

TEST_CASE("an interpolated proximal policy is the sampler's for fresh tokens, and comes nearer with age") {
  const auto weight = [](std::int64_t version) {
    auto options = options_of("decoupled_ppo");
    options.interpolate = true;
    trainer core(options, small_model());
    core.resume(fresh_adamw(core.model().trainable()),
                {{"version", version}, {"tokens", 0}, {"staleness_max", 0}});
    return train(core, a_batch()).metrics;
  };
  CHECK(weight(0)["weight_max"].get<double>() == Approx(1));
  const double half = weight(1)["weight_p95"], most = weight(3)["weight_p95"];
  auto options = options_of("decoupled_ppo");
  trainer core(options, small_model());
  const double whole = train(core, a_batch()).metrics["weight_p95"];
  REQUIRE(whole > 1.2);
  CHECK(half == Approx(std::pow(whole, 1.0 / 2)).epsilon(1e-4));
  CHECK(most == Approx(std::pow(whole, 3.0 / 4)).epsilon(1e-4));
}

TEST_CASE("the KL coefficient follows its target, and a resumed learner goes on from it to the bit") {
  auto options = options_of("ppo");
  options.loss.kl_coefficient = 0.1;
  options.kl_target = 1e-3;
  options.kl_gain = 0.5;
  trainer core(options, small_model());
  const auto one = train(core, a_batch());
  CHECK(one.metrics["kl_coefficient"] == 0.1);
  REQUIRE(one.metrics["kl"].get<double>() > 2e-3);
  const auto state = nlohmann::json::parse(core.state().dump());  // as a checkpoint has it
  auto optimizer = core.optimizer();
  optimizer.m = optimizer.m.clone(), optimizer.v = optimizer.v.clone();
  trainer resumed(options, *one.weights);
  resumed.resume(optimizer, state);
  const auto two = train(core, a_batch()), again = train(resumed, a_batch());
  CHECK(two.metrics["kl_coefficient"].get<double>() == Approx(0.1 * (1 + 0.5 * 0.2)).epsilon(1e-12));
  CHECK(two.metrics == again.metrics);
  CHECK(two.weights->trainable().equal(again.weights->trainable()));
  options.kl_target = 1e3;
  trainer below(options, small_model());
  train(below, a_batch());
  CHECK(train(below, a_batch()).metrics["kl_coefficient"].get<double>() == Approx(0.1 * (1 - 0.5 * 0.2)));
}

TEST_CASE("a learner's own reference gives what the samples would have brought") {
  const auto frozen = std::make_shared<const transformer>(small_model(9));
  auto batch = a_batch();
  std::vector<sample_group_ptr> brought;
  for (const auto &group : batch) {
    auto copy = std::make_shared<sample_group>(*group), bare = std::make_shared<sample_group>(*group);
    for (auto &entry : copy->samples) {
      const auto tokens = pad_tokens({entry.tokens}, 0);
      const auto scores = batch_logprobs(*frozen, tokens, 1.0).logprobs.detach()[0].contiguous();
      entry.reference.assign(scores.data_ptr<float>() + 2, scores.data_ptr<float>() + entry.tokens.size());
    }
    brought.push_back(copy);
  }
  for (auto &group : batch) {
    auto bare = std::make_shared<sample_group>(*group);
    for (auto &entry : bare->samples) entry.reference.clear();
    group = bare;
  }
  auto options = options_of("ppo");
  options.loss.kl_coefficient = 0.2;
  trainer given(options, small_model());
  const auto one = train(given, brought);
  options.reference = frozen;
  trainer own(options, small_model());
  const auto two = train(own, batch);
  CHECK(one.metrics["kl"].get<double>() > 1e-3);
  CHECK(one.metrics["kl"].get<double>() == Approx(two.metrics["kl"].get<double>()).epsilon(1e-4));
  CHECK(difference(one, two) < 1e-5);
}

TEST_CASE("DPO starts from no margin over its reference, and learns the pairs") {
  const auto model = small_model();
  auto options = options_of("dpo");
  options.reference = std::make_shared<const transformer>(small_model());
  options.loss.beta = 0.5;
  options.epochs = 2;  // the reference's figures are kept over the epochs
  trainer core(options, model);
  std::vector<sample_group_ptr> pairs;
  for (std::uint64_t id = 0; id < 4; ++id) {
    auto group = std::make_shared<sample_group>(*group_of(id, {0, 0}));
    for (auto &entry : group->samples) entry.advantages.clear(), entry.reference.clear();
    pairs.push_back(group);
  }
  const auto first = train(core, pairs);
  trained_version last;
  for (int i = 0; i < 15; ++i) last = train(core, pairs);
  CHECK(first.metrics["pairs"] == 8);
  CHECK(first.metrics["loss"].get<double>() < std::log(2.0));  // the second epoch is below it
  CHECK(first.metrics["loss"].get<double>() > 0.5);
  CHECK(last.metrics["accuracy"] == 1.0);
  CHECK(last.metrics["chosen_reward"] > last.metrics["rejected_reward"]);
}

TEST_CASE("groups without advantage: kept ones are passed through and change nothing, refilled ones drop") {
  auto options = options_of("ppo");
  trainer skips(options, small_model());
  options.keep_zero = true;
  trainer keeps(options, small_model());
  const auto one = train(skips, a_batch()), two = train(keeps, a_batch());
  CHECK(one.metrics["tokens"].get<double>() + 7 == two.metrics["tokens"].get<double>());
  CHECK(difference(one, two) < 1e-6);
  CHECK(one.metrics["zero_groups"] == 0.25);
  const auto dropped = refilled_if_even(*group_of(2, {0, 0}));
  CHECK(dropped.samples.empty());
  CHECK(dropped.drop_reason == "zero advantage");
  CHECK(dropped.rollouts == 2);
  CHECK(refilled_if_even(*group_of(2, {0, 1})).samples.size() == 2);
}

TEST_CASE("figures of weights and samples") {
  std::vector<at::Tensor> parts;
  for (int i = 0; i < 4; ++i) parts.push_back(at::arange(i, 100, 4).to(at::kFloat) + 1);
  const auto figures = weight_quantiles(parts);
  CHECK(figures["weight_p05"] == 5.0);
  CHECK(figures["weight_p50"] == 50.0);
  CHECK(figures["weight_p99"] == 99.0);
  CHECK(weight_quantiles({}).empty());
  auto group = std::make_shared<sample_group>(*group_of(0, {1, 0}));
  group->samples[0].truncated = true;
  group->samples[0].versions = {3, 3, 5};
  group->samples[1].versions = {5, 5, 5, 5};
  group->scores = {{"correct", {1, 0}}, {"length", {-1, -2}}};
  const auto shares = sample_shares({group}, 5);
  CHECK(shares["truncated"] == 0.5);
  CHECK(shares["staleness_histogram"] == nlohmann::json({{"0", 5.0 / 7}, {"2", 2.0 / 7}}));
  CHECK(shares["reward.correct"] == 0.5);
  CHECK(shares["reward.length"] == -1.5);
}
