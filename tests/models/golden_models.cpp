#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "models/engine/engine.hpp"
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

// Every folder of reference values that holds `what`.
std::vector<std::string> cases_with(const char *what) {
  std::vector<std::string> names;
  for (const auto &entry : std::filesystem::directory_iterator(test::golden("models")))
    if (safetensors_file(entry.path() / "expected.safetensors").tensors().contains(what))
      names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::int64_t> ids_of(const at::Tensor &ids) {
  const at::Tensor dense = ids.to(at::kLong).contiguous();
  return {dense.data_ptr<std::int64_t>(), dense.data_ptr<std::int64_t>() + dense.numel()};
}

}  // namespace

TEST_CASE("logits equal those of transformers, in both numerics") {
  const auto names = cases_with("logits");
  CHECK(names.size() >= 6);
  for (const std::string &name : names) {
    INFO(name);
    const golden_case golden = open_case(name);
    const at::Tensor mask = golden.expected.get("attention_mask").to(at::kBool);
    const at::Tensor expected = golden.expected.get("logits").index({mask});
    for (const numerics mode : {numerics::fast, numerics::exact}) {
      const transformer model = golden.model.network(mode);
      const at::Tensor logits = model.logits(batch_hidden(model, golden.batch).index({mask}));
      CHECK(largest(logits - expected) < 2e-4 * largest(expected));
    }
  }
}

TEST_CASE("greedy decoding gives the ids of transformers, and the log-probabilities of training") {
  for (const std::string &name : cases_with("greedy_ids")) {
    INFO(name);
    const golden_case golden = open_case(name);
    const std::int64_t prompt = golden.expected.get("prompt_len").item<std::int64_t>();
    const std::vector<std::int64_t> expected = ids_of(golden.expected.get("greedy_ids"));
    const numerics mode = GENERATE(numerics::fast, numerics::exact);
    const auto model = std::make_shared<const transformer>(golden.model.network(mode));
    engine decoder(engine_options{.slots = 1, .page_size = 5});
    decoder.set_weights(model, 0);
    generation_request request;
    request.prompt = ids_of(golden.batch.ids[0].narrow(0, 0, prompt));
    request.max_new_tokens = request.min_new_tokens = static_cast<std::int64_t>(expected.size());
    request.sampling.temperature = 0;
    decoder.submit(request);
    std::vector<finished_request> finished;
    while (finished.empty()) finished = decoder.step();
    const generation &answer = finished.front().samples.front();
    CHECK(answer.tokens == expected);
    std::vector<std::int64_t> whole = request.prompt;
    whole.insert(whole.end(), answer.tokens.begin(), answer.tokens.end());
    const at::Tensor trained = batch_logprobs(*model, pad_tokens({whole}, 0), 1.0).logprobs[0];
    for (std::size_t i = 0; i < answer.logprobs.size(); ++i)
      CHECK(std::abs(answer.logprobs[i] - trained[prompt + static_cast<std::int64_t>(i)].item<float>()) <
            2e-5);
  }
}

TEST_CASE("log-probabilities and entropy follow from the logits of transformers") {
  const golden_case llama = open_case("llama");
  const transformer model(llama.model.spec, llama.model.flat, numerics::exact);
  const token_scores scores = batch_logprobs(model, llama.batch, 0.7, entropies::differentiable);
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
  const auto names = cases_with("scores");
  CHECK_FALSE(names.empty());
  for (const std::string &name : names) {
    INFO(name);
    const golden_case reward = open_case(name);
    const at::Tensor expected = reward.expected.get("scores");
    for (const numerics mode : {numerics::fast, numerics::exact})
      CHECK(largest(batch_scores(reward.model.network(mode), reward.batch) - expected) <
            1e-4 * largest(expected));
  }
}
