#include "models/engine/engine.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <cmath>
#include <map>
#include <random>
#include <set>

#include "models/engine/random.hpp"
#include "models/engine/sampling.hpp"
#include "models/error.hpp"
#include "models/files/checkpoint.hpp"
#include "models/files/safetensors.hpp"
#include "models/network/batch.hpp"
#include "models/network/group_forward.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

using results = std::map<std::uint64_t, finished_request>;
using model_pointer = std::shared_ptr<const transformer>;

model_spec tiny_spec() {
  model_spec spec;
  spec.vocab_size = 13;
  spec.hidden_size = 20;
  spec.intermediate_size = 28;
  spec.layers = 2;
  spec.heads = 4;
  spec.kv_heads = 2;
  spec.head_dim = 6;
  spec.max_positions = 48;
  spec.tied_embeddings = true;
  spec.eos_tokens = {3};
  spec.initializer_range = 0.4;
  return spec;
}

model_pointer tiny_model(std::uint64_t seed, numerics mode, at::ScalarType type = at::kFloat) {
  return std::make_shared<transformer>(tiny_spec(), initial_parameters(tiny_spec(), seed).to(type), mode);
}

std::vector<generation_request> random_requests(unsigned seed, std::size_t count) {
  std::mt19937 random(seed);
  const sampling_options choices[] = {{}, {0.7, 0, 1.0, 0.0}, {0.0, 0, 1.0, 0.0}, {1.2, 6, 0.9, 0.02}};
  std::vector<generation_request> requests(count);
  for (std::size_t i = 0; i < count; ++i) {
    generation_request &request = requests[i];
    request.id = 100 + i;
    request.prompt.resize(1 + random() % 20);
    for (auto &token : request.prompt) token = random() % 13;
    request.samples = 1 + random() % 4;
    request.max_new_tokens = 1 + random() % 20;
    request.min_new_tokens = random() % 3;
    request.sampling = choices[random() % 4];
    request.seed = seed;
  }
  return requests;
}

// Runs until idle; `arrivals` says how many requests come before each step.
results run(engine &engine, const std::vector<generation_request> &requests, std::size_t arrivals) {
  results finished;
  std::size_t next = 0;
  for (int step = 0; step < 3000; ++step) {
    for (std::size_t i = 0; i < arrivals && next < requests.size(); ++i) engine.submit(requests[next++]);
    for (auto &each : engine.step()) {
      const std::uint64_t id = each.id;
      finished[id] = std::move(each);
    }
    if (next == requests.size() && engine.running() + engine.queued() == 0) break;
  }
  REQUIRE(finished.size() == requests.size());
  return finished;
}

engine engine_of(const model_pointer &model, engine_options options) {
  engine made(options);
  made.set_weights(model, 1);
  return made;
}

// The same draws, with every token's logits from a forward pass over the whole sequence so far.
generation recompute(const transformer &model, const generation_request &request, std::uint32_t sample) {
  generation answer;
  std::vector<std::int64_t> all = request.prompt;
  const std::int64_t end = model.spec().eos_token();
  while (std::ssize(answer.tokens) < request.max_new_tokens && answer.reason != finish_reason::stop) {
    const at::Tensor hidden = batch_hidden(model, pad_tokens({all}, 0))[0];
    const at::Tensor logits = model.logits(hidden.narrow(0, hidden.size(0) - 1, 1)).contiguous();
    const bool may_end = std::ssize(answer.tokens) >= request.min_new_tokens;
    const double u = uniform(request.seed, request.id, sample, static_cast<std::uint32_t>(all.size()));
    const auto drawn = draw_token({logits.data_ptr<float>(), 13}, request.sampling,
                                  may_end ? std::span<const std::int64_t>() : std::span(&end, 1), u);
    answer.tokens.push_back(drawn.token);
    answer.logprobs.push_back(drawn.logprob);
    all.push_back(drawn.token);
    if (drawn.token == end) answer.reason = finish_reason::stop;
  }
  return answer;
}

void check_equal(const results &a, const results &b) {
  REQUIRE(a.size() == b.size());
  for (const auto &[id, request] : a) {
    const auto &other = b.at(id).samples;
    REQUIRE(request.samples.size() == other.size());
    for (std::size_t i = 0; i < other.size(); ++i) {
      CHECK(request.samples[i].tokens == other[i].tokens);
      CHECK(request.samples[i].logprobs == other[i].logprobs);  // to the bit
      CHECK(request.samples[i].reason == other[i].reason);
    }
  }
}

}  // namespace

TEST_CASE("in exact numerics an answer does not depend on what else runs, and equals a full recomputation") {
  const auto model = tiny_model(5, numerics::exact);
  const auto requests = random_requests(11, 25);
  engine one = engine_of(model, {1, 1, 0, weight_change::keep_cache});
  const results alone = run(one, requests, 1);
  bool stopped = false, cut = false;
  for (const auto &request : requests)
    for (std::size_t i = 0; i < alone.at(request.id).samples.size(); ++i) {
      const generation &answer = alone.at(request.id).samples[i];
      const generation expected = recompute(*model, request, static_cast<std::uint32_t>(i));
      CHECK(answer.tokens == expected.tokens);
      CHECK(answer.logprobs == expected.logprobs);
      CHECK(answer.reason == expected.reason);
      CHECK(answer.versions == std::vector<std::int64_t>(answer.tokens.size(), 1));
      (answer.reason == finish_reason::stop ? stopped : cut) = true;
    }
  CHECK(stopped);
  CHECK(cut);
  std::mt19937 random(2);
  for (int trial = 0; trial < 8; ++trial) {
    auto shuffled = requests;
    std::shuffle(shuffled.begin(), shuffled.end(), random);
    engine_options options;
    options.slots = 1 + static_cast<std::int64_t>(random() % 30);
    options.page_size = 1 + static_cast<std::int64_t>(random() % 9);
    options.pages = trial % 2 ? 0 : 60 / options.page_size + 2;
    options.on_new_weights = trial % 3 ? weight_change::keep_cache : weight_change::finish;
    engine many = engine_of(model, options);
    check_equal(run(many, shuffled, 1 + random() % 12), alone);
    std::uint64_t tokens = 0, prompts = 0;
    for (const auto &[id, done] : alone)
      for (const auto &sample : done.samples) tokens += sample.tokens.size();
    for (const auto &request : requests) prompts += request.prompt.size();
    CHECK(many.decoded_tokens() == tokens);
    CHECK(many.prefilled_tokens() == prompts);
  }
}

TEST_CASE("in exact numerics the learner computes the same log-probabilities to the bit") {
  const auto model = tiny_model(6, numerics::exact);
  auto requests = random_requests(3, 12);
  for (auto &request : requests) {
    request.sampling = {0.8, 0, 1.0, 0.0};
    request.min_new_tokens = 0;
  }
  engine all = engine_of(model, {9, 4, 0, weight_change::keep_cache});
  for (const auto &[id, done] : run(all, requests, 5)) {
    const auto &prompt = requests[id - 100].prompt;
    std::vector<std::vector<std::int64_t>> sequences;
    for (const auto &sample : done.samples) {
      sequences.push_back(prompt);
      sequences.back().insert(sequences.back().end(), sample.tokens.begin(), sample.tokens.end());
    }
    const auto scores = batch_logprobs(*model, pad_tokens(sequences, 0), 0.8).logprobs;
    for (std::size_t i = 0; i < sequences.size(); ++i)
      for (std::size_t t = 0; t < done.samples[i].tokens.size(); ++t)
        CHECK(scores[static_cast<std::int64_t>(i)][static_cast<std::int64_t>(prompt.size() + t)]
                  .item<float>() == done.samples[i].logprobs[t]);
  }
}

TEST_CASE("with top-k, top-p and min-p the learner takes log-probabilities over what they left, to the bit") {
  const auto model = tiny_model(6, numerics::exact);
  auto requests = random_requests(5, 12);
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const sampling_options choices[] = {{0.8, 5, 1.0, 0.0}, {0.8, 0, 0.7, 0.0}, {0.8, 0, 1.0, 0.2}};
    requests[i].sampling = choices[i % 3];
  }
  std::size_t kept = 0, tokens = 0;
  engine all = engine_of(model, {9, 4, 0, weight_change::keep_cache});
  for (const auto &[id, done] : run(all, requests, 5)) {
    const auto &prompt = requests[id - 100].prompt;
    std::vector<std::vector<std::int64_t>> sequences;
    std::vector<kept_tokens> sets;
    for (const auto &sample : done.samples) {
      sequences.push_back(prompt);
      sequences.back().insert(sequences.back().end(), sample.tokens.begin(), sample.tokens.end());
      sets.push_back(sample.kept);
      REQUIRE(sample.kept.counts.size() == sample.tokens.size());
      kept += sample.kept.ids.size();
      tokens += sample.tokens.size();
    }
    token_batch batch = pad_tokens(sequences, 0);
    batch.kept = sets;
    const auto scores = batch_logprobs(*model, batch, 0.8).logprobs;
    const auto apart = answer_logprobs(*model, prompt, done.samples, 0.8);
    const at::NoGradGuard in_panels;
    const auto packed = batch_logprobs(*model, batch, 0.8).logprobs;
    for (std::size_t i = 0; i < sequences.size(); ++i)
      for (std::size_t t = 0; t < done.samples[i].tokens.size(); ++t) {
        const float drawn = done.samples[i].logprobs[t];
        const auto row = static_cast<std::int64_t>(i), column = static_cast<std::int64_t>(prompt.size() + t);
        CHECK(scores[row][column].item<float>() == drawn);
        CHECK(packed[row][column].item<float>() == drawn);
        CHECK(apart[i][t] == drawn);
      }
  }
  CHECK(kept > tokens);
  CHECK(kept < 13 * tokens);
}

TEST_CASE("fast numerics and gathered pages agree with the full forward") {
  auto requests = random_requests(4, 15);
  for (auto &request : requests) request.sampling.temperature = request.id % 2 ? 1.0 : 0.0;
  for (const auto type : {at::kFloat, at::kDouble}) {
    const auto model = tiny_model(8, numerics::fast, type);
    engine all = engine_of(model, {7, 4, 0, weight_change::keep_cache});
    const results finished = run(all, requests, 4);
    const transformer reference(tiny_spec(), initial_parameters(tiny_spec(), 8), numerics::fast);
    for (const auto &request : requests)
      for (std::size_t i = 0; i < finished.at(request.id).samples.size(); ++i) {
        const generation &answer = finished.at(request.id).samples[i];
        const generation expected = recompute(reference, request, static_cast<std::uint32_t>(i));
        REQUIRE(answer.tokens == expected.tokens);
        for (std::size_t t = 0; t < answer.tokens.size(); ++t)
          CHECK(std::abs(answer.logprobs[t] - expected.logprobs[t]) < 2e-5);
      }
  }
}

TEST_CASE("greedy decoding gives the ids of transformers") {
  const auto folder = test::golden("models/llama");
  const checkpoint golden = load_checkpoint(folder);
  const safetensors_file expected(folder / "expected.safetensors");
  const at::Tensor ids = expected.get("input_ids")[0], greedy = expected.get("greedy_ids")[0];
  generation_request request;
  for (std::int64_t t = 0; t < expected.get("prompt_len")[0].item<std::int64_t>(); ++t)
    request.prompt.push_back(ids[t].item<std::int64_t>());
  request.max_new_tokens = request.min_new_tokens = greedy.size(0);
  request.sampling.temperature = 0.0;
  for (const auto mode : {numerics::exact, numerics::fast})
    for (const auto type : {at::kFloat, at::kDouble}) {
      if (mode == numerics::exact && type != at::kFloat) continue;
      engine all({4, 5, 0, weight_change::keep_cache});
      all.set_weights(std::make_shared<transformer>(golden.spec, golden.flat.to(type), mode), 0);
      all.submit(request);
      auto finished = all.step();
      while (finished.empty()) finished = all.step();
      const auto &tokens = finished.at(0).samples.at(0).tokens;
      REQUIRE(std::ssize(tokens) == greedy.size(0));
      for (std::size_t t = 0; t < tokens.size(); ++t)
        CHECK(tokens[t] == greedy[static_cast<std::int64_t>(t)].item<std::int64_t>());
    }
}

TEST_CASE("samples of a request differ and share one prefill") {
  const auto model = tiny_model(5, numerics::exact);
  generation_request request = random_requests(1, 1)[0];
  request.prompt = {1, 2, 4, 5, 6, 7};
  request.samples = 8;
  request.max_new_tokens = 12;
  request.sampling = {};
  engine all = engine_of(model, {3, 4, 0, weight_change::keep_cache});
  all.submit(request);
  CHECK(all.queued() == 8);
  CHECK(all.free_slots() == 0);
  auto finished = all.step();
  CHECK(all.running() + all.queued() >= 5);
  CHECK(all.running() <= 3);
  while (finished.empty()) finished = all.step();
  CHECK(all.prefilled_tokens() == 6);
  CHECK(all.free_slots() == 3);
  std::set<std::vector<std::int64_t>> distinct;
  for (const auto &sample : finished.at(0).samples) distinct.insert(sample.tokens);
  CHECK(distinct.size() > 4);
}

TEST_CASE("running answers switch to new weights or keep theirs, and tokens carry the version") {
  const auto first = tiny_model(5, numerics::exact), second = tiny_model(9, numerics::exact);
  generation_request request;
  request.prompt = {1, 2, 4, 5, 6};
  request.samples = 3;
  request.max_new_tokens = 10;
  request.min_new_tokens = 10;
  for (const auto policy : {weight_change::finish, weight_change::keep_cache}) {
    engine all({2, 4, 0, policy});
    all.set_weights(first, 1);
    all.submit(request);
    for (int i = 0; i < 4; ++i) all.step();
    all.set_weights(second, 2);
    request.id = 1;
    all.submit(request);
    results finished;
    while (all.running() + all.queued() > 0)
      for (auto &each : all.step()) finished[each.id] = each;
    request.id = 0;
    const auto &old = finished.at(0).samples;
    if (policy == weight_change::finish) {
      for (std::uint32_t i = 0; i < 3; ++i) {
        CHECK(old[i].versions == std::vector<std::int64_t>(10, 1));
        CHECK(old[i].tokens == recompute(*first, request, i).tokens);
      }
    } else {
      CHECK(old[0].versions == std::vector<std::int64_t>{1, 1, 1, 1, 2, 2, 2, 2, 2, 2});
      CHECK(old[2].versions == std::vector<std::int64_t>(10, 2));  // its first token is the new weights'
      const auto before = recompute(*first, request, 0).tokens;
      CHECK(std::equal(before.begin(), before.begin() + 4, old[0].tokens.begin()));
      CHECK(before != old[0].tokens);
    }
    request.id = 1;
    for (std::uint32_t i = 0; i < 3; ++i) {
      CHECK(finished.at(1).samples[i].versions == std::vector<std::int64_t>(10, 2));
      CHECK(finished.at(1).samples[i].tokens == recompute(*second, request, i).tokens);
    }
    request.id = 0;
  }
}

TEST_CASE("an aborted request returns what it has and disturbs no other") {
  const auto model = tiny_model(5, numerics::exact);
  const auto requests = random_requests(21, 30);
  engine calm = engine_of(model, {8, 4, 0, weight_change::keep_cache});
  const results expected = run(calm, requests, 30);
  engine all = engine_of(model, {8, 4, 40, weight_change::keep_cache});
  std::mt19937 random(3);
  for (const auto &request : requests) all.submit(request);
  results finished;
  std::size_t aborted = 0, cut = 0;
  while (all.running() + all.queued() > 0) {
    for (auto &each : all.step()) finished[each.id] = each;
    if (random() % 3) continue;
    const auto ended = all.abort(100 + random() % 30);
    for (std::size_t i = 0; i < ended.samples.size(); ++i) {
      const auto &sample = ended.samples[i];
      const auto &whole = expected.at(ended.id).samples[i];
      REQUIRE(sample.tokens.size() <= whole.tokens.size());
      CHECK(std::equal(sample.tokens.begin(), sample.tokens.end(), whole.tokens.begin()));
      if (sample.reason == finish_reason::aborted) ++cut;
    }
    aborted += ended.samples.empty() ? 0 : 1;
  }
  CHECK(aborted > 0);
  CHECK(cut > 0);
  CHECK(finished.size() + aborted == requests.size());
  for (const auto &[id, done] : finished) check_equal({{id, done}}, {{id, expected.at(id)}});
  CHECK(all.abort(100).samples.empty());
  CHECK(all.free_slots() == 8);
}

TEST_CASE("an engine refuses misuse") {
  engine idle({4, 4, 0, weight_change::finish});
  CHECK(idle.step().empty());
  CHECK(idle.free_slots() == 4);
  CHECK_THROWS_AS(idle.submit(random_requests(1, 1)[0]), std::logic_error);
  idle.set_weights(tiny_model(1, numerics::exact), 1);
  CHECK(idle.step().empty());
  auto spec = tiny_spec();
  spec.layers = 1;
  CHECK_THROWS_AS(
      idle.set_weights(std::make_shared<transformer>(spec, initial_parameters(spec, 1), numerics::exact), 2),
      input_error);
  auto damaged = initial_parameters(tiny_spec(), 1);
  damaged.fill_(std::nan(""));
  idle.set_weights(std::make_shared<transformer>(tiny_spec(), damaged, numerics::exact), 2);
  idle.submit(random_requests(1, 1)[0]);
  CHECK_THROWS_AS(idle.step(), run_error);
}
