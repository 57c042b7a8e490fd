#include <ATen/core/Tensor.h>

#include <cmath>

#include "models/error.hpp"
#include "runtime/learning/batch_figures.hpp"
#include "runtime/learning/batch_transform.hpp"
#include "runtime/learning/samples.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

joined_group made_up_group() {
  auto group = std::make_shared<rollout_group>();
  auto line = std::make_shared<example>();
  line->id = 4;
  group->source = line;
  group->prompt_tokens = {1, 2};
  for (const std::size_t length : {3, 1}) {
    generation answer;
    answer.tokens.assign(length, 5);
    answer.logprobs.assign(length, -1.0F);
    answer.versions.assign(length, 2);
    group->rollouts.push_back(answer);
  }
  joined_group joined{group, {{"near", {1.0, 0.5}}}, {{-1.5F, -1.0F, -0.5F}, {-2.0F}}};
  joined.values = {{0.5F, 0.25F, 0.75F}, {0.125F}};
  joined.model_versions = {{"critic", 2}};
  return joined;
}

std::vector<sample_group_ptr> batch_of(std::int64_t critic) {
  auto joined = made_up_group();
  joined.model_versions["critic"] = critic;
  return {std::make_shared<const sample_group>(gae_samples(joined, {1.0, 0.5}, {1, 0.5, 0}))};
}

}  // namespace

TEST_CASE("advantages and returns of every token follow the recurrence, worked out by hand") {
  const auto plain = gae_samples(made_up_group(), {1.0, 0.5}, {0.5, 0.5, 0});
  REQUIRE(plain.samples.size() == 2);
  CHECK(plain.model_versions.at("critic") == 2);
  const auto &first = plain.samples[0];
  // from the last token on: 1 - 0.75; 0.5 * 0.75 - 0.25 + 0.25 * 0.25; 0.5 * 0.25 - 0.5 + 0.25 * 0.1875
  CHECK(first.advantages == std::vector<float>{-0.328125F, 0.1875F, 0.25F});
  CHECK(first.returns == std::vector<float>{0.171875F, 0.4375F, 1.0F});
  CHECK(first.values == std::vector<float>{0.5F, 0.25F, 0.75F});
  CHECK(first.score == 1.0);
  CHECK(plain.samples[1].advantages == std::vector<float>{0.375F});
  CHECK(plain.samples[1].returns == std::vector<float>{0.5F});

  // rewards of KL: -2 (behaviour - reference) = -1, 0, 1 and at the last token the score
  const auto held = gae_samples(made_up_group(), {1.0, 0.5}, {1, 1, 2});
  CHECK(held.samples[0].returns == std::vector<float>{1.0F, 2.0F, 2.0F});
  CHECK(held.samples[0].advantages == std::vector<float>{0.5F, 1.75F, 1.25F});
  CHECK(held.samples[0].reference == std::vector<float>{-1.5F, -1.0F, -0.5F});
}

TEST_CASE("whitened advantages have mean 0 and variance 1 over the tokens that train, the rest stays") {
  const auto batch = batch_of(2);
  const auto white = normalised_advantages(statistics_scope::tokens, whitening).of_samples(batch);
  double sum = 0, squares = 0, count = 0;
  for (const auto &entry : white.front()->samples)
    for (const double value : entry.advantages) sum += value, squares += value * value, ++count;
  CHECK(sum / count == Approx(0).margin(1e-6));
  CHECK(squares / count == Approx(1).epsilon(1e-5));
  CHECK(white.front()->samples[0].returns == batch.front()->samples[0].returns);
  CHECK(batch.front()->samples[1].advantages.front() == 0.375F);  // as it was
}

TEST_CASE("figures by a model that moves are no older than promised") {
  CHECK(assert_model_age(batch_of(2), "critic", 3, 1, true) == 1);
  CHECK(assert_model_age(batch_of(2), "other", 3, 1, true) == 0);
  CHECK_THROWS_WITH(assert_model_age(batch_of(2), "critic", 4, 1, true),
                    test::Contains("prompt 4 was scored by version 2 of \"critic\"") &&
                        test::Contains("age 2, promised at most 1"));
  CHECK_THROWS_AS(assert_model_age(batch_of(5), "critic", 4, 1, true),
                  staleness_error);  // of a later version
  CHECK(assert_model_age(batch_of(5), "reward", 4, 1, false) == 0);
  CHECK(assert_model_age(batch_of(0), "critic", 9, {}, false) == 9);  // no promise
}
