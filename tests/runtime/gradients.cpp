#include <ATen/ATen.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "models/network/transformer.hpp"
#include "runtime/learning/fingerprint.hpp"
#include "runtime/learning/gradient_comparison.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

transformer small_model() {
  model_spec spec;
  spec.vocab_size = 12;
  spec.hidden_size = 16;
  spec.intermediate_size = 24;
  spec.layers = 2;
  spec.heads = 2;
  spec.kv_heads = 2;
  spec.head_dim = 8;
  spec.max_positions = 16;
  return {spec, initial_parameters(spec, 5), numerics::fast};
}

trainer_options options_of(const char *loss) {
  trainer_options options;
  options.objective = &find_objective(loss);
  options.loss = options.objective->defaults;
  options.rate = {schedule_shape::constant, 1e-2};
  options.micro_batch = 3;
  return options;
}

sample_group_ptr group_of(std::uint64_t id, std::vector<float> advantages) {
  auto group = std::make_shared<sample_group>();
  group->id = id;
  group->rollouts = static_cast<std::int64_t>(advantages.size());
  for (std::size_t i = 0; i < advantages.size(); ++i) {
    sample each;
    each.tokens = {1, static_cast<std::int64_t>(2 + id), static_cast<std::int64_t>(3 + i), 5, 7};
    each.prompt_length = 2;
    each.behaviour = {-2.0F, -2.5F, -3.0F};
    each.versions = {0, 0, 0};
    each.advantages.assign(3, advantages[i]);
    group->samples.push_back(each);
  }
  return group;
}

std::vector<sample_group_ptr> a_batch() {
  return {group_of(0, {1, -1}), group_of(1, {0.5F, -2}), group_of(2, {0, 0}), group_of(3, {3, 1})};
}

trained_version train(trainer &core, const std::vector<sample_group_ptr> &batch) {
  core.begin(batch, 0);
  while (core.slice()) {
  }
  return core.complete(0);
}

}  // namespace

TEST_CASE("the gradient of a batch is the one that trains, and asking for it moves nothing") {
  for (const char *loss : {"decoupled_ppo", "cispo", "grpo"}) {
    CAPTURE(loss);
    const auto initial = small_model();
    trainer asked(options_of(loss), initial), untouched(options_of(loss), initial);
    const auto gradient = asked.gradient(a_batch());
    CHECK(gradient.norm > 0);
    const auto one = train(asked, a_batch()), two = train(untouched, a_batch());
    CHECK(gradient.norm == Approx(one.metrics["grad_norm"].get<double>()).epsilon(1e-5));
    CHECK(one.metrics == two.metrics);
    CHECK(at::equal(one.weights->trainable(), two.weights->trainable()));
    CHECK_FALSE(at::equal(one.weights->trainable(), initial.trainable()));
  }
}

TEST_CASE("the variance of a batch's gradient is that of its groups, over their number") {
  // groups of equal lengths: alone, a group's gradient is its mean's, in the batch it counts a quarter of
  // that
  trainer core(options_of("decoupled_ppo"), small_model());
  const auto batch = a_batch();
  at::Tensor sum;
  double squares = 0;
  std::vector<at::Tensor> alone;
  for (const auto &group : batch) {
    const auto own = core.gradient({group});
    CHECK(std::isnan(own.variance));
    alone.push_back(own.sum.to(at::kDouble));
    sum = sum.defined() ? sum + alone.back() : alone.back();
  }
  const auto mean = sum / 4;
  for (const auto &each : alone) squares += (each - mean).square().sum().item<double>();
  const auto whole = core.gradient(batch);
  CHECK(at::allclose(whole.sum.to(at::kDouble), mean, 1e-4, 1e-7));
  CHECK(whole.variance == Approx(squares / 3 / 4).epsilon(1e-4));
  const auto twins = core.gradient({batch[0], batch[0], batch[0]});
  CHECK(twins.variance < 1e-9 * twins.norm * twins.norm);
}

TEST_CASE("a gradient of length 0 has no direction") {
  trainer core(options_of("decoupled_ppo"), small_model());
  const std::vector<sample_group_ptr> flat{group_of(0, {0, 0}), group_of(1, {0, 0})};
  const auto figures = compare_gradients(core, flat, 1, [](std::int64_t) { return a_batch(); });
  CHECK(figures.norm == 0);
  CHECK(std::isnan(figures.cosine));
  CHECK(to_json(figures)["cosine"].is_null());
  CHECK(to_json(figures)["fresh_norm"] > 0);
}

TEST_CASE("a fingerprint changes with every tensor, and only there") {
  const auto model = small_model();
  const auto before = fingerprint(model);
  const auto slots = model.trainable_layout();
  REQUIRE(before.size() == slots.size());
  for (std::size_t i = 0; i < slots.size(); ++i) {
    auto values = model.trainable().clone();
    auto *last = values.data_ptr<float>() + slots[i].offset + slots[i].count() - 1;
    *last = std::nextafter(*last, 9.0F);
    const auto after = fingerprint(model.with_trainable(values));
    for (std::size_t k = 0; k < slots.size(); ++k) CHECK((after[k] == before[k]) == (k != i));
  }
}
