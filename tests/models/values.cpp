#include <ATen/ATen.h>

#include "models/network/batch.hpp"
#include "models/network/group_forward.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

transformer make_critic(numerics mode) {
  model_spec spec;
  spec.vocab_size = 19, spec.hidden_size = 24, spec.intermediate_size = 20, spec.layers = 2;
  spec.heads = 4, spec.kv_heads = 2, spec.head_dim = 6;
  spec.max_positions = 40, spec.initializer_range = 0.3, spec.labels = 1;
  return {spec, initial_parameters(spec, 5), mode};
}

}  // namespace

TEST_CASE("the value before a token is the score of what came before it, however it is computed") {
  const auto mode = GENERATE(numerics::fast, numerics::exact);
  const auto critic = make_critic(mode);
  const std::vector<std::int64_t> prompt{3, 1, 4};
  std::vector<generation> answers(3);
  answers[0].tokens = {5, 9, 2};
  answers[1].tokens = {6};
  answers[2].tokens = {5, 3, 5, 8, 9};
  const auto values = answer_values(critic, prompt, answers);
  std::vector<std::vector<std::int64_t>> rows;
  for (const auto &answer : answers) {
    rows.push_back(prompt);
    rows.back().insert(rows.back().end(), answer.tokens.begin(), answer.tokens.end());
  }
  const auto batch = batch_values(critic, pad_tokens(rows, 0));
  REQUIRE(values.size() == 3);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    REQUIRE(values[i].size() == answers[i].tokens.size());
    for (std::size_t t = 0; t < values[i].size(); ++t) {
      const std::vector<std::int64_t> before(
          rows[i].begin(), rows[i].begin() + static_cast<std::ptrdiff_t>(prompt.size() + t));
      const auto expected = batch_scores(critic, pad_tokens({before}, 0)).item<float>();
      const auto place = static_cast<std::int64_t>(prompt.size() + t);
      const auto trained = batch[static_cast<std::int64_t>(i)][place].item<float>();
      if (mode == numerics::exact) {
        CHECK(values[i][t] == expected);
        CHECK(values[i][t] == trained);
      } else {
        CHECK(values[i][t] == Approx(expected).margin(1e-5));
        CHECK(values[i][t] == Approx(trained).margin(1e-5));
      }
    }
  }
  CHECK(batch.select(1, 0).eq(0).all().item<bool>());  // nothing comes before the first token
  CHECK(batch[1][4].item<float>() == 0);               // padding
}
