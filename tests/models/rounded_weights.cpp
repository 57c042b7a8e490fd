#include <ATen/ATen.h>

#include <algorithm>

#include "models/arithmetic/product.hpp"
#include "models/engine/engine.hpp"
#include "models/error.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using arithmetic::weight_format;

namespace {

model_spec untied_spec() {
  model_spec spec;
  spec.vocab_size = 40;
  spec.hidden_size = 32;
  spec.intermediate_size = 56;
  spec.layers = 2;
  spec.heads = 4;
  spec.kv_heads = 2;
  spec.head_dim = 8;
  spec.max_positions = 64;
  spec.eos_tokens = {3};
  spec.initializer_range = 0.3;
  return spec;
}

/// The float32 parameters that a pass over rounded matrices computes with.
at::Tensor rounded(const model_spec &spec, const at::Tensor &flat, weight_format format) {
  at::Tensor result = flat.clone();
  for (const auto &slot : parameter_layout(spec)) {
    if (slot.kind != parameter_slot::role::matrix) continue;
    const auto rows = static_cast<std::size_t>(slot.shape[0]),
               depth = static_cast<std::size_t>(slot.shape[1]);
    float *values = result.data_ptr<float>() + slot.offset;
    const auto stored = arithmetic::packed_matrix({values, depth, 1}, depth, rows, format).unpacked();
    std::copy(stored.begin(), stored.end(), values);
  }
  return result;
}

std::vector<generation> sample(const std::shared_ptr<const transformer> &model, weight_format format) {
  engine decoder({.slots = 8, .weights = format});
  decoder.set_weights(model, 0);
  generation_request request;
  request.prompt = {1, 7, 9, 20, 31};
  request.samples = 8;
  request.max_new_tokens = 24;
  decoder.submit(request);
  while (true)
    if (auto done = decoder.step(); !done.empty()) return done.front().samples;
}

}  // namespace

TEST_CASE("a sampler of rounded weights draws, to the bit, as a model of the weights that they stand for") {
  const auto spec = untied_spec();
  const at::Tensor flat = initial_parameters(spec, 5);
  const auto model = std::make_shared<const transformer>(spec, flat, numerics::exact);
  const auto format = GENERATE(weight_format::bfloat16, weight_format::int8);
  const auto same = std::make_shared<const transformer>(spec, rounded(spec, flat, format), numerics::exact);
  const auto actual = sample(model, format), expected = sample(same, weight_format::float32),
             unrounded = sample(model, weight_format::float32);
  bool differs = false;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    CHECK(actual[i].tokens == expected[i].tokens);
    CHECK(actual[i].logprobs == expected[i].logprobs);
    differs = differs || actual[i].logprobs != unrounded[i].logprobs;
  }
  CHECK(differs);
}

TEST_CASE("other trainable values are rounded as the ones before") {
  const auto spec = untied_spec();
  const transformer model(spec, initial_parameters(spec, 5), numerics::exact);
  const auto next = initial_parameters(spec, 6);
  const auto changed =
      std::make_shared<const transformer>(model.packed_in(weight_format::int8).with_trainable(next));
  const auto direct = std::make_shared<const transformer>(spec, next, numerics::exact);
  CHECK(sample(changed, weight_format::float32).front().logprobs ==
        sample(direct, weight_format::int8).front().logprobs);
}

TEST_CASE("weights are rounded in float32 on the cpu only") {
  const auto spec = untied_spec();
  const transformer model(spec, initial_parameters(spec, 5).to(at::kDouble), numerics::fast);
  CHECK_THROWS_AS(model.packed_in(weight_format::int8), input_error);
}
