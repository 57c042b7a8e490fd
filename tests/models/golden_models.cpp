#include <ATen/ATen.h>

#include "models/files/checkpoint.hpp"
#include "models/files/safetensors.hpp"
#include "models/network/batch.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

struct golden_case {
  checkpoint model;
  safetensors_file expected;
  token_batch batch;
};

golden_case open_case(const std::string &name) {
  const auto folder = test::golden("models/" + name);
  golden_case opened{load_checkpoint(folder), safetensors_file(folder / "expected.safetensors"), {}};
  opened.batch = {opened.expected.get("input_ids"), opened.expected.get("attention_mask").sum(1)};
  return opened;
}

double largest(const at::Tensor &x) {
  return x.abs().max().item<double>();
}

}  // namespace

TEST_CASE("logits equal those of transformers, in both numerics") {
  const golden_case llama = open_case("llama");
  const at::Tensor mask = llama.expected.get("attention_mask").to(at::kBool);
  const at::Tensor expected = llama.expected.get("logits").index({mask});
  const numerics mode = GENERATE(numerics::fast, numerics::exact);
  const transformer model(llama.model.spec, llama.model.flat, mode);
  const at::Tensor hidden = batch_hidden(model, llama.batch);
  const at::Tensor logits = model.logits(hidden.index({mask}));
  CHECK(largest(logits - expected) < 2e-4 * largest(expected));
}

TEST_CASE("log-probabilities and entropy follow from the logits of transformers") {
  const golden_case llama = open_case("llama");
  const transformer model(llama.model.spec, llama.model.flat, numerics::exact);
  const token_scores scores = batch_logprobs(model, llama.batch, 0.7, true);
  const at::Tensor all = at::log_softmax(llama.expected.get("logits").to(at::kDouble) / 0.7, -1);
  const at::Tensor ids = llama.batch.ids;
  const at::Tensor lengths = llama.batch.lengths;
  for (std::int64_t b = 0; b < ids.size(0); ++b) {
    CHECK(scores.logprobs[b][0].item<double>() == 0.0);
    for (std::int64_t t = 1; t < ids.size(1); ++t) {
      const bool counts = t < lengths[b].item<std::int64_t>();
      const at::Tensor row = all[b][t - 1];
      const double logprob = counts ? row[ids[b][t].item<std::int64_t>()].item<double>() : 0.0;
      const double entropy = counts ? -(row.exp() * row).sum().item<double>() : 0.0;
      CHECK(scores.logprobs[b][t].item<double>() == Approx(logprob).margin(2e-3));
      CHECK(scores.entropy[b][t].item<double>() == Approx(entropy).margin(2e-3));
    }
  }
}

TEST_CASE("scores of a reward model equal those of transformers") {
  const golden_case reward = open_case("llama-reward");
  const numerics mode = GENERATE(numerics::fast, numerics::exact);
  const transformer model(reward.model.spec, reward.model.flat, mode);
  const at::Tensor expected = reward.expected.get("scores");
  CHECK(largest(batch_scores(model, reward.batch) - expected) < 1e-4 * largest(expected));
}
