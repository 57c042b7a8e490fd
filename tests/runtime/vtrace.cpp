// V-trace as learners apply it: to padded micro-batches, by the policy that is trained, over whole batches.
#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "models/error.hpp"
#include "models/objectives/returns.hpp"
#include "runtime/learning/trainer.hpp"
#include "runtime/learning/vtrace.hpp"
#include "tests/support/small_batches.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

/// Rows of 3 and 5 tokens behind prompts of 2 and 1, in arrays 8 wide.
objective_inputs padded_inputs() {
  objective_inputs inputs;
  const auto random = [](std::int64_t seed) {
    return at::sin(at::arange(16, at::kDouble) * 1.7 + seed).view({2, 8});
  };
  inputs.mask = at::zeros({2, 8}, at::kDouble);
  inputs.mask.select(0, 0).narrow(0, 2, 3).fill_(1);
  inputs.mask.select(0, 1).narrow(0, 1, 5).fill_(1);
  inputs.behaviour = random(1) - 2;
  inputs.proximal = inputs.behaviour + random(5);
  inputs.reference = inputs.behaviour + random(3) * 0.2;
  inputs.old_values = random(2);
  inputs.targets = at::tensor({1.0, -0.5}, at::kDouble);
  return inputs;
}

}  // namespace

TEST_CASE("V-trace over a padded batch is V-trace of each answer by itself") {
  vtrace_options options{0.9, {1.0, 0.8, 1.2}, 0.3};
  auto inputs = padded_inputs();
  set_vtrace_targets(inputs, options);
  for (const auto &[row, first, length] :
       {std::array<std::int64_t, 3>{0, 2, 3}, std::array<std::int64_t, 3>{1, 1, 5}}) {
    const auto part = [row = row, first = first, length = length](const at::Tensor &x) {
      return x.select(0, row).narrow(0, first, length).unsqueeze(1);
    };
    auto rewards = (part(inputs.behaviour) - part(inputs.reference)) * -0.3;
    rewards[length - 1] += inputs.targets[row];
    const auto alone = vtrace(part(inputs.proximal - inputs.behaviour), at::full_like(rewards, 0.9), rewards,
                              part(inputs.old_values), at::zeros({1}, at::kDouble), options.bounds);
    const auto weights = part(inputs.proximal - inputs.behaviour).exp().clamp_max(options.bounds.pg_rho);
    CHECK(at::allclose(part(inputs.advantages) * weights, alone.advantages, 0, 1e-12));
    CHECK(at::allclose(part(inputs.returns), alone.values, 0, 1e-12));
  }
  CHECK(inputs.advantages.masked_select(inputs.mask.eq(0)).abs().max().item<double>() == 0);
}

TEST_CASE("V-trace says what its samples lack") {
  auto inputs = padded_inputs();
  inputs.old_values = at::Tensor();
  CHECK_THROWS_WITH(set_vtrace_targets(inputs, {}), test::Contains("needs a critic's values"));
  inputs = padded_inputs();
  inputs.reference = at::Tensor();
  CHECK_THROWS_WITH(set_vtrace_targets(inputs, {1, {}, 0.1}),
                    test::Contains("needs reference log-probabilities"));
}

TEST_CASE("an update by V-trace does not depend on how the batch is cut or ordered") {
  const auto train = [](std::int64_t micro_batch, bool turned) {
    auto options = test::options_of("vtrace");
    options.micro_batch = micro_batch;
    options.transforms = vtrace_transforms({}, true);
    auto batch = test::valued_batch();
    if (turned) std::reverse(batch.begin(), batch.end());
    return test::weights_after(options, batch);
  };
  const auto whole = train(64, false);
  CHECK_FALSE(at::equal(whole, test::small_model().flat()));
  CHECK(at::equal(whole, train(64, true)));
  for (const std::int64_t micro_batch : {1, 2, 3})
    CHECK(at::allclose(whole, train(micro_batch, false), 0, 1e-5));
}

TEST_CASE("a critic learns what the newest policy is worth, not the one that sampled") {
  auto options = test::options_of("value");
  options.transforms = vtrace_transforms({}, false);
  const auto returns_by = [&](const std::shared_ptr<const transformer> &policy) {
    trainer critic(options, test::small_critic());
    REQUIRE(critic.needs_target_policy());
    critic.set_target_policy(policy);
    critic.begin(test::valued_batch(), 0);
    while (critic.slice()) {
    }
    return critic.complete(0).metrics.at("return_mean").get<double>();
  };
  const auto policy = std::make_shared<const transformer>(test::small_model());
  const auto other = std::make_shared<const transformer>(test::small_model(6));
  CHECK(returns_by(policy) == returns_by(policy));
  CHECK(std::abs(returns_by(policy) - returns_by(other)) > 1e-4);
}

TEST_CASE("demonstrations beside the samples add their gradient, by their weight") {
  auto options = test::options_of("ppo");
  options.max_grad_norm = 0;
  const std::vector<sample_group_ptr> given{test::group_of(0, {1, -1}), test::group_of(1, {0.5F, -2})};
  const auto shown = test::demonstrations(6);
  const auto gradient = [&](double weight, bool with) {
    options.sft_weight = weight;
    // the first step of AdamW with beta1 = 0 and a huge eps is the gradient, but for a factor
    options.optimizer = {.beta1 = 0, .beta2 = 0, .eps = 1e6};
    options.rate.rate = 1e6;
    return at::Tensor(test::weights_after(options, given, with ? shown : std::vector<sample_group_ptr>()) -
                      test::small_model().flat());
  };
  const auto alone = gradient(0, false), half = gradient(0.5, true), whole = gradient(1, true);
  CHECK(at::allclose(gradient(0, true), alone, 0, 1e-7));
  CHECK((whole - alone).abs().max().item<double>() > 1e-4);
  CHECK(at::allclose((half - alone) * 2, whole - alone, 1e-3, 2e-6));

  auto imitating = test::options_of("sft");
  imitating.max_grad_norm = 0;
  imitating.optimizer = options.optimizer;
  imitating.rate = options.rate;
  const auto sft = test::weights_after(imitating, shown) - test::small_model().flat();
  CHECK(at::allclose(whole - alone, sft, 1e-3, 2e-6));
}
