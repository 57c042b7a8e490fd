#include "models/engine/scheduler.hpp"

#include <random>

#include "models/error.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

model_spec tiny_spec() {
  model_spec spec;
  spec.vocab_size = 10;
  spec.layers = 1;
  spec.kv_heads = 1;
  spec.head_dim = 2;
  spec.max_positions = 40;
  return spec;
}

engine_options sized(std::int64_t slots, std::int64_t page_size, std::int64_t pages = 0) {
  engine_options options;
  options.slots = slots;
  options.page_size = page_size;
  options.pages = pages;
  return options;
}

generation_request request_of(std::uint64_t id, std::int64_t prompt, std::int64_t samples,
                              std::int64_t tokens) {
  generation_request request;
  request.id = id;
  request.prompt.assign(static_cast<std::size_t>(prompt), 1);
  request.samples = samples;
  request.max_new_tokens = tokens;
  return request;
}

// What a step does to the pages, without a model: every sequence gets one token; some end.
void pretend_step(scheduler &plan, std::mt19937 &random) {
  const auto intakes = plan.take_in({});
  auto &running = plan.running();
  std::vector<bool> at_prompt(running.size(), false);
  for (const auto &intake : intakes)
    std::fill_n(at_prompt.begin() + static_cast<std::ptrdiff_t>(intake.first), intake.count, true);
  for (std::size_t i = 0; i < running.size(); ++i) {
    if (running[i].missing.empty() && !at_prompt[i])
      plan.cache().make_writable(running[i].pages, running[i].position, running[i].position + 1);
    REQUIRE(std::ssize(running[i].pages) >= plan.cache().pages_for(running[i].position + 1));
    running[i].missing.clear();
    ++running[i].position;
    auto &answer = running[i].answer();
    answer.tokens.push_back(0);
    answer.logprobs.push_back(0);
    answer.versions.push_back(0);
    answer.cache_versions.push_back(0);
    const auto length = std::ssize(answer.tokens);
    running[i].ended = length == running[i].owner->request.max_new_tokens || random() % 6 == 0;
  }
  plan.cache().copy_pages();
}

// Some samples have tokens, some have ended.
std::vector<partial_generation> begun(const generation_request &request, std::mt19937 &random) {
  std::vector<partial_generation> samples(static_cast<std::size_t>(request.samples));
  for (auto &[answer, ended] : samples) {
    const auto count = static_cast<std::size_t>(random() % static_cast<unsigned>(request.max_new_tokens));
    answer.tokens.assign(count, 1);
    answer.logprobs.assign(count, 0.0F);
    answer.versions.assign(count, 0);
    answer.cache_versions.assign(count, 0);
    ended = count > 0 && random() % 4 == 0;
  }
  return samples;
}

}  // namespace

TEST_CASE("samples start as slots come free, first come, first served") {
  std::mt19937 random(1);
  scheduler plan(sized(3, 4), tiny_spec(), at::kFloat);
  plan.submit(request_of(1, 6, 2, 1));
  plan.submit(request_of(2, 5, 3, 1));
  plan.submit(request_of(3, 5, 1, 1));
  CHECK(plan.queued() == 6);
  auto intakes = plan.take_in({});
  REQUIRE(intakes.size() == 2);
  CHECK(intakes[0].count == 2);
  CHECK(intakes[1].first == 2);
  CHECK(intakes[1].count == 1);
  CHECK(plan.queued() == 3);
  CHECK(plan.running()[0].pages == plan.running()[1].pages);
  for (auto &each : plan.running()) each.ended = true;
  const auto finished = plan.retire();
  REQUIRE(finished.size() == 1);
  CHECK(finished[0].id == 1);
  CHECK(plan.cache().used_pages() == 2);  // the second prompt waits for its other samples
  CHECK(plan.take_in({}).size() == 1);    // of the third; the second's prompt is there already
  CHECK(plan.running().size() == 3);
  CHECK(plan.running()[1].sample == 2);
  CHECK(plan.running()[1].position == 4);
}

TEST_CASE(
    "whatever arrives, goes on, ends, is aborted or starts anew, every page comes back and none runs short") {
  for (unsigned seed = 0; seed < 30; ++seed) {
    std::mt19937 random(seed);
    const auto number = [&](std::int64_t low, std::int64_t high) {
      return low + static_cast<std::int64_t>(random() % static_cast<unsigned>(high - low + 1));
    };
    const std::int64_t page_size = number(1, 7);
    const std::int64_t least = (40 + page_size - 1) / page_size + 1;  // the largest request just fits
    auto options = sized(number(1, 6), page_size, number(0, 1) ? least + number(0, 9) : 0);
    options.prefill_tokens = number(1, 100);
    scheduler plan(options, tiny_spec(), at::kFloat);
    std::uint64_t next = 0, finished = 0, aborted = 0;
    for (int step = 0; step < 2000 && (step < 120 || plan.queued() + std::ssize(plan.running()) > 0);
         ++step) {
      if (step < 120 && random() % 2 == 0) {
        const std::int64_t prompt = number(1, 39);
        const auto request = request_of(next++, prompt, number(1, 5), number(1, 40 - prompt));
        plan.submit(request, {}, random() % 2 ? begun(request, random) : std::vector<partial_generation>());
      }
      if (random() % 10 == 0) plan.restart();
      if (next > 0 && random() % 8 == 0) aborted += plan.abort(random() % next).samples.empty() ? 0 : 1;
      pretend_step(plan, random);
      for (const auto &done : plan.retire()) {
        ++finished;
        for (const auto &sample : done.samples) REQUIRE(!sample.tokens.empty());
      }
    }
    CHECK(finished + aborted == next);
    CHECK(plan.queued() == 0);
    CHECK(plan.running().empty());
    CHECK(plan.cache().used_pages() == 0);
    plan.submit(request_of(next, 39, 2, 1));  // nothing is still promised to anyone: the largest one starts
    CHECK(plan.take_in({}).size() == 1);
  }
}

TEST_CASE("the default number of pages runs every slot at full context") {
  scheduler plan(sized(3, 4), tiny_spec(), at::kFloat);
  for (std::uint64_t id = 0; id < 3; ++id) plan.submit(request_of(id, 20, 1, 20));
  plan.take_in({});
  CHECK(plan.running().size() == 3);
}

TEST_CASE("requests that can never run are refused with their numbers") {
  scheduler plan(sized(2, 4, 6), tiny_spec(), at::kFloat);
  CHECK_THROWS_WITH(plan.submit(request_of(9, 30, 1, 11)),
                    test::Contains("request 9") && test::Contains("30") && test::Contains("11") &&
                        test::Contains("context of 40") && test::Contains("shorten the prompt"));
  CHECK_THROWS_WITH(plan.submit(request_of(9, 20, 1, 6)),
                    test::Contains("7 cache pages") && test::Contains("there are 6"));
  CHECK_NOTHROW(plan.submit(request_of(9, 20, 1, 5)));
  CHECK_THROWS_WITH(plan.submit(request_of(9, 3, 1, 5)), test::Contains("already"));
  CHECK_THROWS_AS(plan.submit(request_of(1, 0, 1, 5)), input_error);
  CHECK_THROWS_AS(plan.submit(request_of(1, 2, 0, 5)), input_error);
  CHECK_THROWS_AS(plan.submit(request_of(1, 2, 1, 0)), input_error);
  auto strange = request_of(1, 2, 1, 5);
  strange.prompt[1] = 10;
  CHECK_THROWS_WITH(plan.submit(strange), test::Contains("token 10") && test::Contains("vocabulary of 10"));
  strange = request_of(1, 2, 1, 5);
  strange.sampling.top_p = 0.0;
  CHECK_THROWS_AS(plan.submit(strange), input_error);
  CHECK(plan.queued() == 1);
  CHECK_THROWS_AS(scheduler(sized(0, 4), tiny_spec(), at::kFloat), input_error);
}
