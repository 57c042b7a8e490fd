#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "models/error.hpp"
#include "models/network/batch.hpp"
#include "models/network/families.hpp"
#include "models/network/group_forward.hpp"
#include "models/network/operations.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

// "plain" is Llama with grouped queries; "biases", "windows" and the other families change what their names
// say.
model_spec small_spec(const std::string &kind = "plain") {
  model_spec spec;
  if (const family *row = find_family(kind)) apply_family(*row, spec);
  spec.vocab_size = 19, spec.hidden_size = 24, spec.intermediate_size = 20, spec.layers = 2;
  spec.heads = 4, spec.kv_heads = kind == "gpt2" ? 4 : 2, spec.head_dim = kind == "qwen3" ? 10 : 6;
  spec.max_positions = 40, spec.norm_eps = 1e-5, spec.initializer_range = 0.3;
  spec.tied_embeddings = kind != "biases";
  if (kind == "biases") spec.qkv_bias = spec.output_bias = spec.mlp_bias = true;
  if (kind == "windows") spec.windows = {4, 0};
  return spec;
}

std::string every_kind() {
  return GENERATE("plain", "biases", "windows", "qwen2", "qwen3", "gpt2");
}

// Gains and biases that are not all alike, so that a mistake in them shows.
at::Tensor uneven_parameters(const model_spec &spec, std::uint64_t seed) {
  const at::Tensor flat = initial_parameters(spec, seed);
  return flat + 0.05 * at::arange(flat.numel(), at::kFloat).sin();
}

using sequences = std::vector<std::vector<std::int64_t>>;

sequences made_up_sequences() {
  sequences all;
  for (const std::int64_t length : {1, 5, 2, 12, 7, 12, 3, 9}) {
    all.emplace_back();
    for (std::int64_t t = 0; t < length; ++t) all.back().push_back((7 * t + 3 * length + t * t) % 19);
  }
  return all;
}

// Loss and flat gradient of a fixed weighting of log-probabilities and entropies.
std::pair<at::Tensor, at::Tensor> loss_and_gradient(const model_spec &spec, const at::Tensor &flat,
                                                    numerics mode, bool with_gradient = true) {
  transformer model(spec, flat, mode);
  const at::Tensor gradient = at::zeros_like(flat);
  if (with_gradient) model.train_into(gradient);
  const token_scores scores =
      batch_logprobs(model, pad_tokens(made_up_sequences(), 0), 0.8, entropies::differentiable);
  const at::Tensor weights =
      at::arange(scores.logprobs.numel(), flat.options()).cos().view_as(scores.logprobs);
  const at::Tensor loss = (scores.logprobs * weights).sum() + 0.3 * (scores.entropy * weights).sum();
  if (with_gradient) loss.backward();
  return {loss.detach(), gradient};
}

double relative_error(const at::Tensor &actual, const at::Tensor &expected) {
  return ((actual - expected).abs().max() / expected.abs().max()).item<double>();
}

}  // namespace

TEST_CASE("exact numerics: a sequence's log-probabilities have the same bits in every batch") {
  const model_spec spec = small_spec(every_kind());
  const transformer model(spec, uneven_parameters(spec, 3), numerics::exact);
  const sequences all = made_up_sequences();
  const token_scores together = batch_logprobs(model, pad_tokens(all, 0), 0.9);
  const token_scores wide = batch_logprobs(model, pad_tokens({all.rbegin(), all.rend()}, 5, 31), 0.9);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const token_scores alone = batch_logprobs(model, pad_tokens({all[i]}, 0), 0.9);
    const auto length = static_cast<std::int64_t>(all[i].size()), b = static_cast<std::int64_t>(i);
    const at::Tensor expected = alone.logprobs[0];
    CHECK(at::equal(together.logprobs[b].narrow(0, 0, length), expected));
    CHECK(at::equal(wide.logprobs[static_cast<std::int64_t>(all.size()) - 1 - b].narrow(0, 0, length),
                    expected));
  }
}

TEST_CASE("exact numerics: the hidden state of a token depends only on the tokens before it, to the bit") {
  const model_spec spec = small_spec(every_kind());
  const transformer model(spec, uneven_parameters(spec, 3), numerics::exact);
  const std::vector<std::int64_t> whole = made_up_sequences()[3];
  const at::Tensor all = batch_hidden(model, pad_tokens({whole}, 0))[0];
  for (std::size_t length = 1; length <= whole.size(); ++length) {
    const auto last = static_cast<std::int64_t>(length) - 1;
    const token_batch prefix = pad_tokens({{whole.begin(), whole.begin() + last + 1}}, 0);
    CHECK(at::equal(batch_hidden(model, prefix)[0][last], all[last]));
  }
}

TEST_CASE("gradients agree with finite differences in double precision") {
  const model_spec spec = small_spec(every_kind());
  const at::Tensor flat = uneven_parameters(spec, 5).to(at::kDouble);
  const at::Tensor gradient = loss_and_gradient(spec, flat, numerics::fast).second;
  const double step = 1e-5;
  for (const parameter_slot &slot : parameter_layout(spec)) {
    const std::int64_t i = slot.offset + slot.shape[0] / 2;
    const double kept = flat[i].item<double>();
    flat[i] = kept + step;
    const double above = loss_and_gradient(spec, flat, numerics::fast, false).first.item<double>();
    flat[i] = kept - step;
    const double below = loss_and_gradient(spec, flat, numerics::fast, false).first.item<double>();
    flat[i] = kept;
    INFO(slot.name);
    CHECK(gradient[i].item<double>() == Approx((above - below) / (2 * step)).epsilon(1e-5).margin(1e-7));
  }
}

TEST_CASE("the float32 kernels' losses and gradients agree with LibTorch's operators in double precision") {
  const model_spec spec = small_spec(every_kind());
  const at::Tensor flat = uneven_parameters(spec, 5);
  const auto [loss, gradient] = loss_and_gradient(spec, flat.to(at::kDouble), numerics::fast);
  for (const numerics mode : {numerics::fast, numerics::exact}) {
    const auto [own_loss, own_gradient] = loss_and_gradient(spec, flat, mode);
    CHECK(own_loss.item<double>() == Approx(loss.item<double>()).epsilon(5e-5));
    CHECK(relative_error(own_gradient.to(at::kDouble), gradient) < 1e-5);
  }
}

TEST_CASE("a long sequence takes the other attention path in fast numerics and agrees with the exact one") {
  model_spec spec = small_spec(GENERATE("plain", "windows"));
  spec.max_positions = 300;
  const at::Tensor flat = initial_parameters(spec, 9);
  sequences long_ones(2);
  for (std::int64_t t = 0; t < 200; ++t) long_ones[t % 3 == 0].push_back((t * t + 3) % 19);
  const token_batch batch = pad_tokens(long_ones, 0);
  const at::Tensor fast = batch_logprobs(transformer(spec, flat, numerics::fast), batch, 1.0).logprobs;
  const at::Tensor exact = batch_logprobs(transformer(spec, flat, numerics::exact), batch, 1.0).logprobs;
  CHECK(relative_error(fast, exact) < 2e-5);
}

TEST_CASE(
    "gradients accumulate in the flat buffer, and a write to the parameters before backward is caught") {
  const model_spec spec = small_spec();
  const at::Tensor flat = uneven_parameters(spec, 5), gradient = at::zeros_like(flat);
  const numerics mode = GENERATE(numerics::fast, numerics::exact);
  transformer model(spec, flat, mode);
  model.train_into(gradient);
  const token_batch batch = pad_tokens(made_up_sequences(), 0);
  batch_logprobs(model, batch, 1.0).logprobs.sum().backward();
  const at::Tensor once = gradient.clone();
  CHECK(once.abs().max().item<double>() > 0);
  batch_logprobs(model, batch, 1.0).logprobs.sum().backward();
  CHECK(relative_error(gradient, 2 * once) < 1e-6);

  const at::Tensor loss = batch_logprobs(model, batch, 1.0).logprobs.sum();
  {
    const at::NoGradGuard guard;
    model.flat().add_(1e-3);
  }
  CHECK_THROWS(loss.backward());
}

TEST_CASE("entropies without a gradient are those of the whole distribution") {
  const model_spec spec = small_spec(every_kind());
  transformer model(spec, uneven_parameters(spec, 3), numerics::exact);
  const at::Tensor gradient = at::zeros_like(model.flat());
  model.train_into(gradient);
  const token_batch batch = pad_tokens(made_up_sequences(), 0);
  const token_scores quick = batch_logprobs(model, batch, 0.8, entropies::without_gradient),
                     full = batch_logprobs(model, batch, 0.8, entropies::differentiable);
  CHECK_FALSE(quick.entropy.requires_grad());
  CHECK(quick.logprobs.requires_grad());
  CHECK(relative_error(quick.entropy, full.entropy.detach()) < 1e-6);
  CHECK(at::equal(quick.logprobs.detach(), full.logprobs.detach()));
}

TEST_CASE("fresh parameters depend on seed and name only") {
  model_spec spec = small_spec();
  const at::Tensor first = initial_parameters(spec, 1);
  CHECK(at::equal(first, initial_parameters(spec, 1)));
  CHECK_FALSE(at::equal(first, initial_parameters(spec, 2)));
  const parameter_slot last_of_two = parameter_layout(spec)[5];
  spec.vocab_size = 50;
  const at::Tensor other = initial_parameters(spec, 1);
  const parameter_slot same = parameter_layout(spec)[5];
  REQUIRE(same.name == last_of_two.name);
  const std::int64_t count = same.shape[0] * same.shape[1];
  CHECK(at::equal(first.narrow(0, last_of_two.offset, count), other.narrow(0, same.offset, count)));

  spec.vocab_size = 4000;
  const at::Tensor embedding = initial_parameters(spec, 1).narrow(0, 0, spec.vocab_size * spec.hidden_size);
  CHECK(std::abs(embedding.mean().item<double>()) < 0.005);
  CHECK(embedding.std().item<double>() == Approx(spec.initializer_range).epsilon(0.01));
}

TEST_CASE("the answers to one prompt, computed with the prompt once, are what each gives alone") {
  model_spec spec = small_spec(GENERATE("plain", "windows", "gpt2"));
  const std::vector<std::int64_t> prompt{4, 9, 1};
  std::vector<generation> answers;
  for (const std::vector<std::int64_t> &tokens : sequences{{7}, {2, 2, 11, 5, 0, 3, 18, 6, 6, 1}, {8, 3}}) {
    answers.emplace_back();
    answers.back().tokens = tokens;
  }
  const auto whole = [&](std::size_t i) {
    std::vector<std::int64_t> tokens = prompt;
    tokens.insert(tokens.end(), answers[i].tokens.begin(), answers[i].tokens.end());
    return pad_tokens({tokens}, 0);
  };
  const transformer model(spec, uneven_parameters(spec, 3), numerics::exact);
  const auto logprobs = answer_logprobs(model, prompt, answers, 0.8);
  spec.labels = 1;
  const transformer reward(spec, uneven_parameters(spec, 4), numerics::exact);
  const auto scores = answer_scores(reward, prompt, answers);
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const at::Tensor alone = batch_logprobs(model, whole(i), 0.8).logprobs[0];
    for (std::size_t t = 0; t < logprobs[i].size(); ++t)
      CHECK(logprobs[i][t] == alone[static_cast<std::int64_t>(prompt.size() + t)].item<float>());
    CHECK(scores[i] == batch_scores(reward, whole(i))[0].item<double>());
  }
  const transformer precise(spec, uneven_parameters(spec, 4).to(at::kDouble), numerics::fast);
  const auto expected = answer_scores(precise, prompt, answers);
  for (std::size_t i = 0; i < answers.size(); ++i) CHECK(scores[i] == Approx(expected[i]).epsilon(1e-4));
}

TEST_CASE("a head that is not there, a context exceeded and a temperature of 0 are refused") {
  model_spec spec = small_spec();
  const token_batch batch = pad_tokens({{1, 2, 3}}, 0);
  const transformer model(spec, initial_parameters(spec, 1), numerics::fast);
  CHECK_THROWS_AS(batch_scores(model, batch), input_error);
  CHECK_THROWS_AS(batch_hidden(model, pad_tokens({std::vector<std::int64_t>(41, 1)}, 0)), input_error);
  CHECK_THROWS_AS(batch_logprobs(model, batch, 0.0), std::invalid_argument);
  CHECK_THROWS_AS(transformer(spec, at::zeros({3}), numerics::fast), std::invalid_argument);
  CHECK_THROWS_AS(transformer(spec, initial_parameters(spec, 1).to(at::kDouble), numerics::exact),
                  input_error);
  spec.labels = 1;
  const transformer reward(spec, initial_parameters(spec, 1), numerics::fast);
  CHECK_THROWS_AS(batch_logprobs(reward, batch, 1.0), input_error);
  CHECK_THROWS_AS(pad_tokens({{}}, 0), std::invalid_argument);
}
