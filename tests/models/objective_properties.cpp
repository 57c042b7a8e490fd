// What must hold for every row, whatever the reference values: the loss does not depend on how a batch is
// cut, padded or ordered; advantages, corrections and the optimizer keep their promises.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "models/error.hpp"
#include "models/objectives/advantages.hpp"
#include "models/objectives/corrections.hpp"
#include "models/objectives/optimizer.hpp"
#include "models/objectives/returns.hpp"
#include "models/objectives/rows.hpp"
#include "models/objectives/supervised.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

constexpr std::int64_t rows = 12, width = 9;

/// A batch that serves every kind of row: 12 sequences (6 pairs) with holes in their masks.
objective_inputs random_batch(std::uint64_t seed, at::ScalarType type = at::kDouble) {
  at::manual_seed(seed);
  const auto normal = [&](double scale) { return (at::randn({rows, width}, at::kDouble) * scale).to(type); };
  objective_inputs in;
  in.mask = at::rand({rows, width}).gt(0.3).to(type);
  in.mask.select(1, 2).fill_(1);
  in.logp = -normal(1).abs() - 0.1;
  in.behaviour = in.logp + normal(0.3);
  in.proximal = in.logp + normal(0.2);
  in.reference = in.logp + normal(0.3);
  in.entropy = normal(1).abs();
  in.advantages = normal(1);
  in.age = at::randint(0, 4, {rows, width}, at::kLong).to(type);
  in.keep = at::rand({rows, width}).gt(0.2).to(type);
  in.values = normal(1), in.old_values = in.values + normal(0.3), in.returns = normal(1);
  in.scores = normal(1).select(1, 0).contiguous(), in.targets = normal(1).select(1, 0).contiguous();
  return in;
}

/// The same with the targets that a row takes: labels, the places of lists of two, or any numbers.
objective_inputs random_batch_for(const objective_row &row, std::uint64_t seed) {
  auto in = random_batch(seed);
  in.reference_point = at::scalar_tensor(0.1, at::kDouble);
  if (row.name == "reward_binary" || row.name == "kto") in.targets = in.targets.gt(0).to(at::kDouble);
  if (row.name == "reward_rankings") in.targets = at::arange(rows, at::kDouble).remainder(2) + 1;
  return in;
}

std::vector<at::Tensor *> members(objective_inputs &in) {
  return {&in.mask,   &in.logp,       &in.entropy, &in.behaviour, &in.proximal, &in.reference, &in.advantages,
          &in.values, &in.old_values, &in.returns, &in.scores,    &in.targets,  &in.age,       &in.keep};
}

objective_inputs picked(objective_inputs in, const std::vector<std::int64_t> &which) {
  const auto index = at::tensor(which, at::kLong);
  for (auto *t : members(in)) *t = t->index_select(0, index);
  return in;
}

/// Padding of `left` and `right` columns filled with numbers that must not count.
objective_inputs padded(objective_inputs in, std::int64_t left, std::int64_t right) {
  for (auto *t : members(in)) {
    if (t->dim() != 2) continue;
    const double junk = t == &in.mask ? 0 : 37;
    *t = at::cat({at::full({t->size(0), left}, junk, t->options()), *t,
                  at::full({t->size(0), right}, junk, t->options())},
                 1);
  }
  return in;
}

objective_options busy_options(const objective_row &row) {
  auto options = row.defaults;
  options.horizon = 20;
  options.clip = {0.1, 0.2};
  options.weights = {.cap = weight_cap::truncate, .high = 1.2};
  options.kl_coefficient = 0.3;
  options.entropy_coefficient = 0.01;
  options.stale_clip = 0.5;
  return options;
}

struct summed {
  double loss = 0;
  std::map<std::string, double> metrics;
};

/// The loss of a batch that comes as the given micro-batches.
summed evaluate_parts(const objective_row &row, const objective_options &options,
                      const std::vector<objective_inputs> &parts) {
  denominators global;
  for (const auto &part : parts) global += count(row, part);
  summed result;
  metric_totals totals;
  for (const auto &part : parts) {
    const auto one = evaluate(row, part, options, global);
    result.loss += one.loss.item<double>();
    add_metrics(totals, one);
  }
  result.metrics = finish_metrics(totals);
  return result;
}

void check_same(const summed &got, const summed &wanted) {
  CHECK(got.loss == Approx(wanted.loss).epsilon(1e-9).margin(1e-12));
  REQUIRE(got.metrics.size() == wanted.metrics.size());
  for (const auto &[name, value] : wanted.metrics) {
    INFO(name);
    CHECK(got.metrics.at(name) == Approx(value).epsilon(1e-9).margin(1e-12));
  }
}

constexpr aggregation aggregations[] = {aggregation::token_mean, aggregation::seq_mean_token_mean,
                                        aggregation::seq_mean_token_sum,
                                        aggregation::seq_mean_token_sum_norm};

}  // namespace

TEST_CASE("no row's loss or metric depends on micro-batches, padding or order") {
  for (const auto &row : objective_rows())
    for (const auto how : aggregations) {
      CAPTURE(std::string(row.name), std::string(to_string(how)));
      auto options = busy_options(row);
      options.aggregate = how;
      const auto batch = random_batch_for(row, 3);
      const auto whole = evaluate_parts(row, options, {batch});
      CHECK(whole.loss != 0);
      check_same(evaluate_parts(row, options,
                                {picked(batch, {0, 1}), picked(batch, {2, 3, 4, 5, 6, 7, 8, 9}),
                                 picked(batch, {10, 11})}),
                 whole);
      check_same(evaluate_parts(row, options, {padded(batch, 0, 5)}), whole);
      check_same(evaluate_parts(row, options, {padded(batch, 4, 0)}), whole);
      check_same(evaluate_parts(row, options, {picked(batch, {10, 11, 2, 3, 8, 9, 0, 1, 6, 7, 4, 5})}),
                 whole);
    }
}

TEST_CASE("gradients of micro-batches add up to the gradient of the whole") {
  for (const auto &row : objective_rows()) {
    CAPTURE(std::string(row.name));
    const auto options = busy_options(row);
    auto batch = random_batch_for(row, 4);
    for (auto *t : {&batch.logp, &batch.values, &batch.scores}) t->requires_grad_(true);
    const auto global = count(row, batch);
    const auto gradients = [&](const std::vector<objective_inputs> &parts) {
      for (const auto &part : parts) evaluate(row, part, options, global).loss.backward();
      std::vector<at::Tensor> found;
      for (auto *t : {&batch.logp, &batch.values, &batch.scores}) {
        found.push_back(t->grad().defined() ? t->grad().clone() : at::zeros_like(*t));
        t->mutable_grad().reset();
      }
      return found;
    };
    const auto whole = gradients({batch});
    const auto parts = gradients({picked(batch, {0, 1, 2, 3}), picked(batch, {4, 5, 6, 7, 8, 9, 10, 11})});
    double size = 0;
    for (std::size_t i = 0; i < whole.size(); ++i) {
      CHECK(at::allclose(parts[i], whole[i], 1e-9, 1e-12));
      size += whole[i].abs().sum().item<double>();
    }
    CHECK(size > 0);
  }
}

TEST_CASE("garbage outside the mask reaches neither a ratio nor a gradient") {
  for (const char *name : {"ppo", "decoupled_ppo", "gspo", "cispo", "ppo_dual_clip"}) {
    CAPTURE(name);
    const auto &row = find_objective(name);
    auto batch = random_batch(5, at::kFloat);
    const auto clean = evaluate_parts(row, busy_options(row), {batch});
    const auto outside = batch.mask.eq(0);
    batch.behaviour = batch.behaviour.masked_fill(outside, -1e30);  // its ratio overflows
    batch.reference = batch.reference.masked_fill(outside, 1e30);
    batch.logp.requires_grad_(true);
    const auto result = evaluate(row, batch, busy_options(row), count(row, batch));
    result.loss.backward();
    CHECK(result.loss.item<double>() == Approx(clean.loss).epsilon(1e-6));
    CHECK(at::isfinite(batch.logp.grad()).all().item<bool>());
    CHECK(batch.logp.grad().masked_select(outside).abs().sum().item<double>() == 0);
  }
}

TEST_CASE("a mask may be of any type") {
  const auto &row = find_objective("decoupled_ppo");
  auto batch = random_batch(6);
  const auto wanted = evaluate_parts(row, busy_options(row), {batch});
  for (const auto type : {at::kBool, at::kLong, at::kFloat}) {
    batch.mask = batch.mask.to(type);
    check_same(evaluate_parts(row, busy_options(row), {batch}), wanted);
  }
}

TEST_CASE(
    "with the same weights in sampler and learner every ratio is 1 and the losses have REINFORCE's "
    "gradient") {
  auto batch = random_batch(7);
  batch.behaviour = batch.logp.clone(), batch.proximal = batch.logp.clone();
  batch.logp.requires_grad_(true);
  const auto gradient = [&](const char *name, aggregation how) {
    auto options = find_objective(name).defaults;
    options.aggregate = how;
    evaluate(find_objective(name), batch, options, count(find_objective(name), batch)).loss.backward();
    const auto result = batch.logp.grad().clone();
    batch.logp.mutable_grad().reset();
    return result;
  };
  for (const char *name : {"ppo", "ppo_recomputed", "ppo_dual_clip", "decoupled_ppo", "cispo", "dapo"}) {
    CAPTURE(name);
    const auto wanted = gradient("reinforce", aggregation::token_mean);
    CHECK(at::allclose(gradient(name, aggregation::token_mean), wanted, 1e-9, 1e-12));
    const auto figures = evaluate_parts(find_objective(name), find_objective(name).defaults, {batch}).metrics;
    CHECK(figures.at("weight_mean") == Approx(1));
    CHECK(figures.at("weight_max") == Approx(1));
    CHECK(figures.at("ess") == Approx(1));
    CHECK(figures.at("kl_behaviour") == Approx(0).margin(1e-12));
  }
}

TEST_CASE("DAPO with equal bounds and the same aggregation is GRPO's loss") {
  const auto batch = random_batch(8);
  auto options = find_objective("grpo").defaults;
  const auto grpo = evaluate_parts(find_objective("grpo"), options, {batch}).loss;
  auto dapo = find_objective("dapo").defaults;
  CHECK(evaluate_parts(find_objective("dapo"), dapo, {batch}).loss != Approx(grpo));
  dapo.clip = options.clip;
  dapo.aggregate = options.aggregate;
  CHECK(evaluate_parts(find_objective("dapo"), dapo, {batch}).loss == Approx(grpo).epsilon(1e-12));
}

TEST_CASE("the decoupled objective reduces to PPO where the behaviour policy is the proximal one") {
  auto batch = random_batch(9);
  batch.proximal = batch.behaviour;
  const auto loss = [&](const char *name) {
    return evaluate_parts(find_objective(name), busy_options(find_objective(name)), {batch}).loss;
  };
  CHECK(loss("decoupled_ppo") == Approx(loss("ppo")).epsilon(1e-12));
}

TEST_CASE("equal rewards give exactly zero advantage, in float32 too") {
  for (const auto type : {at::kFloat, at::kDouble, at::kBFloat16})
    for (const double reward : {0.1, 1.0 / 3, -7.3e6, 1e-9})
      for (const std::int64_t group : {2, 3, 7, 16}) {
        CAPTURE(reward, group);
        const auto rewards = at::full({3, group}, reward, at::TensorOptions().dtype(type));
        for (const auto &row : advantage_rows())
          if (row.name != "reinforce") CHECK(advantages_of(row, rewards, {}).abs().max().item<double>() == 0);
        CHECK(reinforce_pp_baseline(rewards).abs().max().item<double>() == 0);
        CHECK(whiten(rewards, at::ones_like(rewards)).abs().max().item<double>() == 0);
      }
}

TEST_CASE("group advantages refuse a group that has nothing to compare") {
  CHECK(group_advantages(find_advantage("reinforce"), {2.5}) == std::vector<double>{2.5});
  CHECK_THROWS_AS(group_advantages(find_advantage("rloo"), {2.5}), input_error);
  CHECK_THROWS_AS(find_advantage("grbo"), input_error);
  const auto centred = group_advantages(find_advantage("dr_grpo"), {1, 0, 0, 1});
  CHECK(centred == std::vector<double>{0.5, -0.5, -0.5, 0.5});
}

TEST_CASE("V-trace with equal policies and zero values is the discounted return") {
  at::manual_seed(10);
  const auto rewards = at::randn({7, 3}, at::kDouble), zeros = at::zeros({7, 3}, at::kDouble);
  const auto bootstrap = at::randn({3}, at::kDouble);
  const auto result = vtrace(zeros, at::full_like(zeros, 0.9), rewards, zeros, bootstrap, {});
  auto expected = bootstrap.clone();
  for (std::int64_t t = 7; t-- > 0;) {
    expected = rewards[t] + 0.9 * expected;
    CHECK(at::allclose(result.values[t], expected, 1e-12, 1e-12));
    CHECK(at::allclose(result.advantages[t], expected, 1e-12, 1e-12));
  }
}

TEST_CASE("GAE at lambda 1 is return minus value, at lambda 0 the one-step error") {
  at::manual_seed(11);
  const auto rewards = at::randn({4, 6}, at::kDouble), values = at::randn({4, 6}, at::kDouble);
  const auto mask = at::ones_like(rewards), bootstrap = at::zeros({4}, at::kDouble);
  CHECK(
      at::allclose(gae(rewards, values, bootstrap, mask, 0.9, 1).returns, returns_to_go(rewards, mask, 0.9)));
  const auto next = at::cat({values.narrow(1, 1, 5), bootstrap.unsqueeze(1)}, 1);
  CHECK(
      at::allclose(gae(rewards, values, bootstrap, mask, 0.9, 0).advantages, rewards + 0.9 * next - values));
}

TEST_CASE("interpolated and recomputed proximal log-probabilities agree where a token is one version old") {
  at::manual_seed(12);
  // one softmax layer: the logits of versions 4 and 5 of the weights at some positions
  const auto older = at::randn({rows, width, 5}, at::kDouble), newer = older + at::randn_like(older) * 0.3;
  const auto tokens = at::randint(5, {rows, width}, at::kLong), mask = at::ones({rows, width}, at::kDouble);
  const auto behaviour = label_logprobs(older, tokens), current = label_logprobs(newer, tokens);
  const auto of_version = [&](std::int64_t version) {
    return interpolate_proximal(current, behaviour, at::full({rows, width}, version, at::kLong), mask, 5);
  };
  CHECK(
      at::allclose(of_version(4), behaviour, 1e-12, 1e-12));  // recomputing with version 4 gives these again
  CHECK(at::allclose(of_version(2), behaviour + (current - behaviour) * (2.0 / 3), 1e-12, 1e-12));
  CHECK_FALSE(at::allclose(of_version(2), behaviour, 1e-3, 1e-3));
}

TEST_CASE("clip ranges shrink with a token's age, and fresh tokens keep theirs") {
  const auto &row = find_objective("ppo");
  auto batch = random_batch(16);
  auto options = row.defaults;
  const auto plain = evaluate_parts(row, options, {batch}).loss;
  options.stale_clip = 0.5;
  batch.age = at::zeros_like(batch.age);
  CHECK(evaluate_parts(row, options, {batch}).loss == Approx(plain).epsilon(1e-12));
  batch.age = at::full_like(batch.age, 3);  // (1 + 3)^-0.5 = 1/2
  const auto halved = evaluate_parts(row, options, {batch});
  auto half = row.defaults;
  half.clip = {0.1, 0.1};
  const auto expected = evaluate_parts(row, half, {batch});
  CHECK(halved.loss == Approx(expected.loss).epsilon(1e-12));
  CHECK(halved.metrics.at("clip_fraction") == expected.metrics.at("clip_fraction"));
  CHECK(halved.loss != Approx(plain));
  options.stale_clip = -0.5;
  half.clip = {0.4, 0.4};
  CHECK(evaluate_parts(row, options, {batch}).loss ==
        Approx(evaluate_parts(row, half, {batch}).loss).epsilon(1e-12));
}

TEST_CASE("the share of an effective sample is the same from logarithms, however far they are from 0") {
  at::manual_seed(17);
  const auto logs = at::randn({9}, at::kDouble);
  CHECK(effective_share(logs) ==
        Approx(effective_sample_size(logs.exp(), at::ones_like(logs)).ratio).epsilon(1e-12));
  CHECK(effective_share(logs + 900) == Approx(effective_share(logs)).epsilon(1e-9));
  CHECK(effective_share(at::zeros({5})) == Approx(1));
  CHECK(effective_share(at::tensor({0.0, -2000.0})) == Approx(0.5));
}

TEST_CASE("weights over sequences: the product of their tokens', or its geometric mean") {
  const auto batch = random_batch(18);
  const auto logs = (batch.proximal - batch.behaviour) * batch.mask;
  const auto product =
      importance_weights(batch.proximal, batch.behaviour, batch.mask, weight_level::sequence_product);
  const auto mean =
      importance_weights(batch.proximal, batch.behaviour, batch.mask, weight_level::sequence_geometric);
  CHECK(at::allclose(product, logs.sum(1, true).exp(), 1e-12, 1e-12));
  CHECK(at::allclose(mean.pow(batch.mask.sum(1, true)), product, 1e-9, 1e-12));
  auto options = find_objective("mis").defaults;
  const auto outside = mean.lt(0.9).logical_or(mean.gt(1.1)).expand_as(batch.mask);
  auto zeroed = batch;
  zeroed.advantages = batch.advantages.masked_fill(outside, 0);
  auto uncapped = options;
  uncapped.weights.cap = weight_cap::none;
  REQUIRE(outside.any().item<bool>());
  REQUIRE_FALSE(outside.all().item<bool>());
  CHECK(evaluate_parts(find_objective("mis"), options, {batch}).loss ==
        Approx(evaluate_parts(find_objective("mis"), uncapped, {zeroed}).loss).epsilon(1e-12));
}

TEST_CASE("values that are the returns explain all their variance, and their mean none") {
  auto batch = random_batch(19);
  const auto explained = [&] {
    return evaluate_parts(find_objective("value"), {},
                          {picked(batch, {0, 1, 2, 3}), picked(batch, {4, 5, 6, 7, 8})})
        .metrics.at("explained_variance");
  };
  batch.values = batch.returns + 3;  // a bias is not variance
  CHECK(explained() == Approx(1));
  batch.values = at::full_like(batch.returns, 0.7);
  CHECK(explained() == Approx(0).margin(1e-9));
}

TEST_CASE("a DPO row sums its pairs' tokens") {
  const auto batch = random_batch(13);
  const auto sequence = [&](const at::Tensor &x) { return (x * batch.mask).sum(1).view({rows / 2, 2}); };
  const auto policy = sequence(batch.logp), reference = sequence(batch.reference);
  const auto expected =
      dpo(policy.select(1, 0), policy.select(1, 1), reference.select(1, 0), reference.select(1, 1), 0.1);
  const auto got = evaluate_parts(find_objective("dpo"), find_objective("dpo").defaults, {batch});
  CHECK(got.loss == Approx(expected.loss.mean().item<double>()));
  CHECK(got.metrics.at("margin") == Approx(expected.margin.mean().item<double>()));
  CHECK(got.metrics.at("margin") ==
        Approx(got.metrics.at("chosen_reward") - got.metrics.at("rejected_reward")));
}

TEST_CASE("effective sample size of the metrics is the one over the whole batch") {
  const auto batch = random_batch(14);
  const auto weights = importance_weights(batch.proximal, batch.behaviour, batch.mask);
  const auto figures =
      evaluate_parts(find_objective("decoupled_ppo"), {},
                     {picked(batch, {0, 1, 2}), picked(batch, {3, 4, 5, 6, 7, 8, 9, 10, 11})})
          .metrics;
  CHECK(figures.at("ess") == Approx(effective_sample_size(weights, batch.mask).ratio));
  CHECK(figures.at("weight_max") == Approx((weights * batch.mask).max().item<double>()));
  CHECK(figures.at("tokens") == batch.mask.sum().item<double>());
}

TEST_CASE("a row says which input it misses, and the tables which names they know") {
  auto batch = random_batch(15);
  batch.proximal = at::Tensor();
  const auto &row = find_objective("decoupled_ppo");
  CHECK_THROWS_WITH(evaluate(row, batch, {}, count(row, batch)), test::Contains("proximal"));
  batch.reference = at::Tensor();
  CHECK_THROWS_WITH(evaluate(find_objective("ppo"), batch, {.kl_coefficient = 0.1}, {1, 1}),
                    test::Contains("reference"));
  CHECK_THROWS_WITH(evaluate(find_objective("dr_grpo"), batch, find_objective("dr_grpo").defaults, {1, 1}),
                    test::Contains("horizon"));
  CHECK_THROWS_WITH(find_objective("pop"), test::Contains("ppo_dual_clip"));
  CHECK_THROWS_WITH(parse_aggregation("mean"), test::Contains("seq_mean_token_sum_norm"));
}

TEST_CASE("AdamW: the same bits whatever the threads, decay only where the mask says") {
  at::manual_seed(16);
  constexpr std::int64_t n = 100'003;
  const auto start = at::randn({n}), gradients = at::randn({n});
  const auto decays = at::rand({n}).gt(0.5);
  const adamw_options options{.weight_decay = 0.1};
  const auto stepped = [&](const at::Tensor &mask, const adamw_options &with) {
    auto parameters = start.clone();
    auto state = fresh_adamw(parameters);
    for (int i = 0; i < 3; ++i)
      adamw_step(parameters, gradients, state, with, 0.01, clip_scale(gradient_norm(gradients), 1), mask);
    return parameters;
  };
  const auto masked = stepped(decays, options);
  CHECK(at::equal(masked, at::where(decays, stepped({}, options), stepped({}, {}))));
  const double norm = gradient_norm(gradients);
  at::set_num_threads(2);
  CHECK(at::equal(stepped(decays, options), masked));
  CHECK(gradient_norm(gradients) == norm);
  at::set_num_threads(1);
  CHECK(norm == Approx(gradients.to(at::kDouble).norm().item<double>()).epsilon(1e-12));
}

TEST_CASE("AdamW by tensor operations, as on other devices, makes the step of the CPU's loop") {
  at::manual_seed(17);
  const auto start = at::randn({1000}), gradients = at::randn({1000}), decays = at::rand({1000}).gt(0.5);
  for (const auto &mask : {decays, at::Tensor()}) {
    const auto stepped = [&](at::ScalarType type) {
      const auto parameters = start.to(type, false, true);
      auto state = fresh_adamw(parameters);
      for (int i = 0; i < 2; ++i)
        adamw_step(parameters, gradients.to(type), state, {.weight_decay = 2}, 0.1, 0.5, mask);
      return parameters.to(at::kFloat);
    };
    // bfloat16 has no loop of its own; its 8 bits of mantissa leave an error of about 2 / 256 of the value
    CHECK(at::allclose(stepped(at::kBFloat16), stepped(at::kFloat), 0.02, 0.02));
    CHECK_FALSE(at::allclose(stepped(at::kFloat), start, 0.02, 0.02));
  }
}

TEST_CASE("the optimizer's state survives a round trip and refuses another model's") {
  const auto parameters = at::ones({5});
  auto state = fresh_adamw(parameters);
  adamw_step(parameters, at::full({5}, 0.5), state, {}, 0.1);
  const auto back = adamw_from_tensors(to_tensors(state), 5);
  CHECK(back.step == 1);
  CHECK(at::equal(back.m, state.m));
  CHECK(at::equal(back.v, state.v));
  CHECK_THROWS_AS(adamw_from_tensors(to_tensors(state), 6), input_error);
  CHECK_THROWS_AS(adamw_from_tensors({{"m", state.m}}, 5), input_error);
}

TEST_CASE("a graph that saved the parameters notices an optimizer step") {
  auto parameters = at::ones({4}), x = at::ones({4}).requires_grad_(true);
  auto state = fresh_adamw(parameters);
  const auto loss = (x * parameters).sum();
  adamw_step(parameters, at::ones({4}), state, {}, 0.1);
  CHECK_THROWS(loss.backward());
}

TEST_CASE("learning-rate schedules start with a warm-up and keep their last value") {
  const learning_rate_schedule constant{schedule_shape::constant, 1.0, 4, 10, 0.1};
  CHECK(learning_rate(constant, 0) == 0.25);
  CHECK(learning_rate(constant, 3) == 1.0);
  CHECK(learning_rate(constant, 100) == 1.0);
  const learning_rate_schedule cosine{schedule_shape::cosine, 1.0, 0, 10, 0.1};
  CHECK(learning_rate(cosine, 0) == 1.0);
  CHECK(learning_rate(cosine, 10) == Approx(0.1));
  CHECK(learning_rate(cosine, 99) == learning_rate(cosine, 10));
}
