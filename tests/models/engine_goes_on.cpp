#include <ATen/ATen.h>

#include <map>
#include <random>

#include "models/engine/engine.hpp"
#include "models/error.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

using model_pointer = std::shared_ptr<const transformer>;
using results = std::map<std::uint64_t, std::vector<generation>>;
using versions = std::vector<std::int64_t>;

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

model_pointer tiny_model(std::uint64_t seed, numerics mode = numerics::exact,
                         at::ScalarType type = at::kFloat) {
  return std::make_shared<transformer>(tiny_spec(), initial_parameters(tiny_spec(), seed).to(type), mode);
}

generation_request request_of(std::uint64_t id, std::mt19937 &random) {
  generation_request request;
  request.id = id;
  request.prompt.resize(1 + random() % 20);
  for (auto &token : request.prompt) token = random() % 13;
  request.samples = 1 + random() % 4;
  request.max_new_tokens = 2 + random() % 24;
  request.min_new_tokens = random() % 12;
  request.seed = 4;
  return request;
}

std::vector<generation_request> requests_of(unsigned seed, std::size_t count) {
  std::mt19937 random(seed);
  std::vector<generation_request> requests;
  for (std::size_t i = 0; i < count; ++i) requests.push_back(request_of(i, random));
  return requests;
}

engine engine_of(const model_pointer &model, engine_options options, std::int64_t version = 1) {
  engine made(options);
  made.set_weights(model, version);
  return made;
}

void drain(engine &all, results &finished) {
  for (auto &each : all.step()) finished[each.id] = std::move(each.samples);
  while (all.running() + all.queued() > 0)
    for (auto &each : all.step()) finished[each.id] = std::move(each.samples);
}

results run(engine &all, const std::vector<generation_request> &requests) {
  results finished;
  for (const auto &request : requests) all.submit(request);
  drain(all, finished);
  REQUIRE(finished.size() == requests.size());
  return finished;
}

void check_equal(const results &a, const results &b) {
  REQUIRE(a.size() == b.size());
  for (const auto &[id, samples] : a)
    for (std::size_t i = 0; i < samples.size(); ++i) {
      INFO("request " << id << " sample " << i);
      CHECK(samples[i].tokens == b.at(id)[i].tokens);
      CHECK(samples[i].logprobs == b.at(id)[i].logprobs);  // to the bit
      CHECK(samples[i].reason == b.at(id)[i].reason);
    }
}

engine_options random_options(std::mt19937 &random, weight_change policy) {
  engine_options options;
  options.slots = 1 + static_cast<std::int64_t>(random() % 12);
  options.page_size = 1 + static_cast<std::int64_t>(random() % 9);
  options.pages = random() % 2 ? 0 : 90 / options.page_size + 3;
  options.on_new_weights = policy;
  options.prefill_tokens = random() % 2 ? 2048 : 1 + static_cast<std::int64_t>(random() % 60);
  return options;
}

// Ten answers of exactly ten tokens to one prompt, two slots.
generation_request ten_tokens(std::uint64_t id) {
  generation_request request;
  request.id = id;
  request.prompt = {1, 2, 4, 5, 6};
  request.samples = 3;
  request.max_new_tokens = request.min_new_tokens = 10;
  return request;
}

partial_generation whole(const generation &answer, std::size_t tokens, bool ended) {
  generation part = answer;
  part.tokens.resize(tokens);
  part.logprobs.resize(tokens);
  part.versions.resize(tokens);
  part.cache_versions.resize(tokens);
  return {part, ended};
}

}  // namespace

TEST_CASE("answers cut off anywhere go on in another engine to the same bits") {
  const auto model = tiny_model(5);
  const auto requests = requests_of(1, 14);
  engine calm = engine_of(model, {});
  const results expected = run(calm, requests);
  std::mt19937 random(7);
  bool cut = false, ended_already = false;
  for (int trial = 0; trial < 25; ++trial) {
    const auto policy = trial % 3 == 0   ? weight_change::finish
                        : trial % 3 == 1 ? weight_change::keep_cache
                                         : weight_change::recompute;
    engine first = engine_of(model, random_options(random, policy));
    for (const auto &request : requests) first.submit(request);
    results finished;
    for (auto steps = random() % 30; steps > 0; --steps)
      for (auto &each : first.step()) finished[each.id] = std::move(each.samples);
    engine second = engine_of(model, random_options(random, policy), 2);
    auto shuffled = requests;
    std::shuffle(shuffled.begin(), shuffled.end(), random);
    for (const auto &request : shuffled) {
      if (finished.contains(request.id)) continue;
      const auto begun = first.progress(request.id);
      for (const auto &[answer, ended] : begun) {
        cut = cut || (!ended && !answer.tokens.empty());
        ended_already = ended_already || ended;
      }
      second.submit(request, {}, begun);
    }
    drain(second, finished);
    check_equal(finished, expected);
  }
  CHECK(cut);
  CHECK(ended_already);
}

TEST_CASE("fast numerics and gathered pages go on as well") {
  const auto requests = requests_of(2, 10);
  for (const auto type : {at::kFloat, at::kDouble}) {
    const auto model = tiny_model(8, numerics::fast, type);
    engine calm = engine_of(model, {});
    const results expected = run(calm, requests);
    engine first = engine_of(model, {.slots = 9, .page_size = 4}), second = engine_of(model, {.slots = 7});
    for (const auto &request : requests) first.submit(request);
    results finished;
    for (int i = 0; i < 9; ++i)
      for (auto &each : first.step()) finished[each.id] = std::move(each.samples);
    for (const auto &request : requests)
      if (!finished.contains(request.id)) second.submit(request, {}, first.progress(request.id));
    drain(second, finished);
    for (const auto &[id, samples] : expected)
      for (std::size_t i = 0; i < samples.size(); ++i) {
        REQUIRE(finished.at(id)[i].tokens == samples[i].tokens);
        for (std::size_t t = 0; t < samples[i].tokens.size(); ++t)
          CHECK(finished.at(id)[i].logprobs[t] == Approx(samples[i].logprobs[t]).margin(3e-5));
      }
  }
}

TEST_CASE("a request whose samples have all ended comes back at the next step, as it was") {
  const auto model = tiny_model(5);
  engine calm = engine_of(model, {}), other = engine_of(model, {});
  const auto request = ten_tokens(3);
  const auto answers = run(calm, {request}).at(3);
  std::vector<partial_generation> begun;
  for (const auto &answer : answers) begun.push_back({answer, true});
  other.submit(request, {}, begun);
  const auto back = other.step();
  REQUIRE(back.size() == 1);
  check_equal({{3, back.front().samples}}, {{3, answers}});
  CHECK(other.decoded_tokens() + other.prefilled_tokens() == 0);
  CHECK(other.step().empty());
}

TEST_CASE("with a rebuilt cache the rest of an answer is what the new weights make of its beginning") {
  const auto first = tiny_model(5), second = tiny_model(9), third = tiny_model(11);
  const auto requests = requests_of(6, 12);
  std::mt19937 random(3);
  bool changed = false;
  for (int trial = 0; trial < 12; ++trial) {
    engine all = engine_of(first, random_options(random, weight_change::recompute), 1);
    for (const auto &request : requests) all.submit(request);
    std::map<std::uint64_t, std::vector<partial_generation>> at_change;
    results finished, expected;
    for (auto steps = 1 + random() % 12; steps > 0; --steps)
      for (auto &each : all.step()) finished[each.id] = std::move(each.samples);
    all.set_weights(second, 2);
    if (trial % 2) all.set_weights(third, 3);  // before any step with the second
    engine fresh = engine_of(trial % 2 ? third : second, {});
    for (const auto &request : requests)
      if (!finished.contains(request.id)) {
        at_change[request.id] = all.progress(request.id);
        fresh.submit(request, {}, at_change[request.id]);
      }
    finished.clear();
    drain(all, finished);
    drain(fresh, expected);
    check_equal(finished, expected);
    for (const auto &[id, samples] : finished)
      for (std::size_t i = 0; i < samples.size(); ++i) {
        CHECK(samples[i].cache_versions == samples[i].versions);
        const auto before = at_change.at(id)[i].answer.tokens.size();
        changed = changed || (before > 0 && before < samples[i].tokens.size());
        for (std::size_t t = 0; t < samples[i].versions.size(); ++t)
          CHECK(samples[i].versions[t] == (t < before ? 1 : 2 + trial % 2));
      }
  }
  CHECK(changed);
}

TEST_CASE("tokens carry the version of the oldest weights in the cache that they saw") {
  const auto first = tiny_model(5), second = tiny_model(9);
  const versions ones(10, 1), twos(10, 2);
  versions switched(10, 2);
  std::fill_n(switched.begin(), 4, 1);
  for (const auto policy : {weight_change::finish, weight_change::keep_cache, weight_change::recompute}) {
    engine all = engine_of(first, {.slots = 2, .page_size = 4, .on_new_weights = policy}, 1);
    all.submit(ten_tokens(0));
    for (int i = 0; i < 4; ++i) all.step();
    all.set_weights(second, 2);
    all.submit(ten_tokens(1));
    results finished;
    drain(all, finished);
    const auto &running = finished.at(0)[0], &late = finished.at(0)[2], &fresh = finished.at(1)[0];
    const bool finish = policy == weight_change::finish, keep = policy == weight_change::keep_cache;
    CHECK(running.versions == (finish ? ones : switched));
    CHECK(running.cache_versions == (finish || keep ? ones : switched));
    CHECK(late.versions == (finish ? ones : twos));
    CHECK(late.cache_versions == (finish || keep ? ones : twos));  // it started from the prompt's pages
    CHECK(fresh.versions == twos);
    CHECK(fresh.cache_versions == twos);
  }
}

TEST_CASE("a continued answer keeps its tokens' versions, and the rest follows from its new cache") {
  const auto model = tiny_model(5);
  engine calm = engine_of(model, {}, 1), all = engine_of(model, {}, 4);
  const auto answers = run(calm, {ten_tokens(0)}).at(0);
  all.submit(ten_tokens(0), {}, {whole(answers[0], 3, false), {}, whole(answers[2], 10, true)});
  results finished;
  drain(all, finished);
  versions expected(10, 4);
  std::fill_n(expected.begin(), 3, 1);
  CHECK(finished.at(0)[0].versions == expected);
  CHECK(finished.at(0)[0].cache_versions == expected);
  CHECK(finished.at(0)[1].cache_versions == versions(10, 4));
  CHECK(finished.at(0)[2].versions == versions(10, 1));
  CHECK(all.decoded_tokens() == 17);
}

TEST_CASE("a request with weights of its own keeps to them, whatever comes") {
  const model_pointer models[] = {tiny_model(5), tiny_model(9), tiny_model(11)};
  const auto requests = requests_of(8, 9);
  results alone[3];
  for (int i = 0; i < 3; ++i) {
    engine calm = engine_of(models[i], {});
    alone[i] = run(calm, requests);
  }
  std::mt19937 random(5);
  for (int trial = 0; trial < 9; ++trial) {
    const auto policy = trial % 3 == 0   ? weight_change::finish
                        : trial % 3 == 1 ? weight_change::keep_cache
                                         : weight_change::recompute;
    engine all = engine_of(models[2], random_options(random, policy), 2);
    results finished;
    std::map<std::uint64_t, std::int64_t> own;
    for (const auto &request : requests) {
      own[request.id] = static_cast<std::int64_t>(random() % 3);
      all.submit(request, {models[own[request.id]], own[request.id]});
      for (auto &each : all.step()) finished[each.id] = std::move(each.samples);
      if (random() % 3 == 0) all.set_weights(models[random() % 3], 7);
    }
    drain(all, finished);
    for (const auto &[id, version] : own) {
      check_equal({{id, finished.at(id)}}, {{id, alone[version].at(id)}});
      for (const auto &sample : finished.at(id)) {
        CHECK(sample.versions == versions(sample.tokens.size(), version));
        CHECK(sample.cache_versions == sample.versions);
      }
    }
  }
}

TEST_CASE("what a running request has so far can be read, whole or from a place on") {
  const auto model = tiny_model(5);
  engine calm = engine_of(model, {}), all = engine_of(model, {.slots = 2});
  const auto expected = run(calm, {ten_tokens(0)}).at(0);
  all.submit(ten_tokens(0));
  CHECK(all.tokens_of(0) == 0);
  for (int i = 0; i < 6; ++i) all.step();
  CHECK(all.tokens_of(0) == 12);
  const auto so_far = all.progress(0), since = all.progress(0, {4, 6, 0});
  REQUIRE(so_far.size() == 3);
  CHECK(so_far[0].answer.tokens == versions(expected[0].tokens.begin(), expected[0].tokens.begin() + 6));
  CHECK(since[0].answer.tokens == versions(expected[0].tokens.begin() + 4, expected[0].tokens.begin() + 6));
  CHECK(since[0].answer.logprobs.size() == 2);
  CHECK(since[0].answer.versions.size() == 2);
  CHECK(since[0].answer.cache_versions.size() == 2);
  CHECK(since[1].answer.tokens.empty());
  CHECK(so_far[2].answer.tokens.empty());
  for (int i = 0; i < 5; ++i) all.step();
  CHECK(all.progress(0)[0].ended);
  CHECK_FALSE(all.progress(0)[2].ended);
  CHECK(all.progress(9).empty());
  CHECK(all.tokens_of(9) == 0);
}

TEST_CASE("a long rebuild is spread over steps, and the answers stay the same") {
  const auto model = tiny_model(5);
  std::vector<generation_request> requests;
  for (std::uint64_t id = 0; id < 8; ++id) requests.push_back(ten_tokens(id));
  engine calm = engine_of(model, {}),
         all = engine_of(model,
                         {.slots = 24, .on_new_weights = weight_change::recompute, .prefill_tokens = 20});
  const results expected = run(calm, requests);
  for (const auto &request : requests) all.submit(request);
  while (all.queued() > 0) all.step();
  all.set_weights(model, 2);
  CHECK(all.running() == 0);
  std::uint64_t before = all.prefilled_tokens();
  std::int64_t steps = 0;
  results finished;
  for (; all.queued() > 0; ++steps) {
    for (auto &each : all.step()) finished[each.id] = std::move(each.samples);
    CHECK(all.prefilled_tokens() - before <= 60);  // page ends are computed more than once
    before = all.prefilled_tokens();
  }
  CHECK(steps > 3);
  drain(all, finished);
  check_equal(finished, expected);
}

TEST_CASE("an engine refuses what no request can have begun with") {
  engine all = engine_of(tiny_model(5), {});
  const auto request = ten_tokens(0);
  partial_generation one;
  one.answer.tokens = {1};
  one.answer.logprobs = {-1.0F};
  one.answer.versions = one.answer.cache_versions = {1};
  const auto refuses = [&](std::vector<partial_generation> begun, const std::string &why) {
    CHECK_THROWS_WITH(all.submit(request, {}, std::move(begun)), test::Contains(why));
  };
  refuses({one}, "one for each of 3");
  auto bad = one;
  bad.answer.versions.clear();
  refuses({one, bad, one}, "lack a log-probability or a version");
  bad = one;
  bad.answer.tokens = {13};
  refuses({bad, one, one}, "not within the vocabulary");
  bad.answer.tokens = {3};
  refuses({bad, one, one}, "behind its end");
  auto spec = tiny_spec();
  spec.layers = 1;
  CHECK_THROWS_AS(
      all.submit(request,
                 {std::make_shared<transformer>(spec, initial_parameters(spec, 1), numerics::exact), 1}),
      input_error);
  CHECK(all.queued() == 0);
}
