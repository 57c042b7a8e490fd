#include <ATen/core/Tensor.h>

#include <cmath>
#include <limits>

#include "models/error.hpp"
#include "runtime/nodes/frames.hpp"
#include "runtime/nodes/placement_request.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

generation answer(std::vector<std::int64_t> tokens) {
  generation made;
  for (const auto token : tokens) {
    made.logprobs.push_back(-0.125f * static_cast<float>(token));
    made.versions.push_back(token / 4);
    made.cache_versions.push_back(token / 8);
  }
  made.tokens = std::move(tokens);
  made.reason = finish_reason::stop;
  return made;
}

void check_equal(const generation &a, const generation &b) {
  CHECK(a.tokens == b.tokens);
  CHECK(a.logprobs == b.logprobs);
  CHECK(a.versions == b.versions);
  CHECK(a.cache_versions == b.cache_versions);
  CHECK(a.reason == b.reason);
}

example_ptr line() {
  example made;
  made.id = 70'000;
  made.epoch = 3;
  made.row = 12;
  made.prompt = "12=";
  made.answer = std::string("2\0001", 3);
  made.turns = {{"user", "hello"}, {"assistant", ""}};
  return std::make_shared<example>(std::move(made));
}

template <class Frame>
Frame there_and_back(const Frame &frame) {
  return std::get<Frame>(decode_frame(encode_frame(frame)));
}

group_ptr whole_group() {
  auto group = std::make_shared<rollout_group>();
  group->source = line();
  group->min_version = 6;
  group->prompt_tokens = {1, 2, 90'000};
  group->rollouts = {answer({8, 9}), answer({})};
  group->texts = {"ab", ""};
  group->model_versions = {{"reward", 4}};
  return group;
}

}  // namespace

TEST_CASE("what a learner and its rank say to each other passes as it is") {
  const std::string bytes("\0\xff rank", 7);
  CHECK(there_and_back(rank_frame{bytes}).bytes == bytes);
}

TEST_CASE("a prompt reaches a node as it was, with what it has got") {
  auto prompt = std::make_shared<work>();
  prompt->source = line();
  prompt->prompt_tokens = {5, 4, 3};
  prompt->min_version = 7;
  prompt->model_versions = {{"critic", 2}};
  prompt->begun = std::make_shared<const std::vector<partial_generation>>(
      std::vector<partial_generation>{{answer({4, 5, 6}), true}, {answer({}), false}});
  const auto back = there_and_back(work_frame{prompt}).prompt;
  CHECK(back->source->id == 70'000);
  CHECK(back->source->epoch == 3);
  CHECK(back->source->row == 12);
  CHECK(back->source->prompt == "12=");
  CHECK(back->source->answer == prompt->source->answer);
  CHECK(std::isnan(back->source->score));
  REQUIRE(back->source->turns.size() == 2);
  CHECK(back->source->turns[0].content == "hello");
  CHECK(back->prompt_tokens == prompt->prompt_tokens);
  CHECK(back->min_version == 7);
  CHECK(back->model_versions == prompt->model_versions);
  REQUIRE(back->begun->size() == 2);
  check_equal((*back->begun)[0].answer, answer({4, 5, 6}));
  CHECK((*back->begun)[0].ended);
  CHECK_FALSE((*back->begun)[1].ended);
}

TEST_CASE("groups and figures cross with their bits") {
  const auto group = there_and_back(group_frame{whole_group()}).group;
  REQUIRE(group->rollouts.size() == 2);
  check_equal(group->rollouts[0], answer({8, 9}));
  CHECK(group->texts == std::vector<std::string>{"ab", ""});
  CHECK(group->model_versions.at("reward") == 4);

  const auto infinite = std::numeric_limits<double>::infinity();
  const auto scores = there_and_back(scores_frame{3, "near", "reward", 5, {infinite, -0.0, 5e-324, 0.1}});
  CHECK(scores.scores[0] == infinite);
  CHECK(std::signbit(scores.scores[1]));
  CHECK(scores.scores[2] == 5e-324);
  CHECK(scores.scorer == "near");
  CHECK(scores.version == 5);
  const auto figures = there_and_back(token_figures_frame{3, true, "critic", 9, {{0.5f, -1e-45f}, {}}});
  CHECK(figures.values);
  CHECK(figures.figures == std::vector<std::vector<float>>{{0.5f, -1e-45f}, {}});

  const auto spans = there_and_back(spans_frame{17, {{"s", "decode", 1, 5, 9, 2}}});
  CHECK(spans.clock_ns == 17);
  CHECK(spans.spans.front().end_ns == 5);
  CHECK(there_and_back(credit_frame{4, 2}).version == 2);
  CHECK_FALSE(there_and_back(credit_frame{4, 2}).near);
  CHECK(there_and_back(credit_frame{4, 2, true}).near);
  CHECK(there_and_back(flushed_frame{{1, 9}, {4}}).begun == std::vector<std::uint64_t>{1, 9});
  CHECK(there_and_back(failed_frame{"why", true}).input);
}

TEST_CASE("spans stand where the message that was quickest on its way puts them") {
  clock_shift clocks;
  const auto heard = [&](std::int64_t said_ns, std::int64_t now_ns) {
    return spans_here(spans_frame{said_ns, {{"s", "decode", said_ns - 10, said_ns, 9, 2}}}, "sampler-1",
                      clocks, now_ns)
        .front();
  };
  CHECK(heard(1'000, 5'700).end_ns == 5'700);  // 4,000 apart, and 700 on the way
  CHECK(heard(2'000, 6'100).end_ns == 6'100);
  const auto late = heard(3'000, 9'900);
  CHECK(late.begin_ns == 7'090);
  CHECK(late.end_ns == 7'100);
  CHECK(late.actor == "sampler-1");
  for (std::int64_t i = 0; i < 300; ++i) heard(10'000 + i, 20'500 + i);  // their clock stood still
  CHECK(heard(11'000, 21'500).end_ns == 21'500);
}

TEST_CASE("whatever bytes come, a frame is read or refused") {
  const std::vector<std::string> sound{
      encode_frame(group_frame{whole_group()}), encode_frame(credit_frame{4, 2}),
      encode_frame(token_figures_frame{3, false, "m", 9, {{0.5f}, {1.0f, 2.0f}}}),
      encode_frame(rollouts_frame{3, {answer({1, 2})}, {"x"}})};
  std::size_t refused = 0, read = 0;
  const auto attempt = [&](const std::string &bytes) {
    try {
      decode_frame(bytes);
      ++read;
    } catch (const run_error &) {
      ++refused;
    }
  };
  for (const auto &bytes : sound) {
    for (std::size_t length = 0; length < bytes.size(); ++length)
      CHECK_THROWS_AS(decode_frame(bytes.substr(0, length)), run_error);
    CHECK_THROWS_AS(decode_frame(bytes + "x"), run_error);
    for (std::size_t at = 0; at < bytes.size(); ++at)
      for (const int change : {1, 0x80, 0xff}) {
        auto other = bytes;
        other[at] = static_cast<char>(other[at] ^ change);
        attempt(other);
      }
  }
  CHECK(refused > 100);
  CHECK(read > 10);
  CHECK_THROWS_AS(decode_frame(std::string("\x63", 1)), run_error);
}

TEST_CASE("a few bytes cannot ask for much memory") {
  // an answer without tokens that claims four thousand million versions in one stretch
  auto bytes = encode_frame(rollouts_frame{3, {generation{}}, {""}});
  const std::string claim("\x80\x80\x80\x80\x10\x02\x80\x80\x80\x80\x10", 11);
  const auto at = bytes.size() - 6;  // behind tokens and log-probabilities, both empty
  bytes.replace(at, 1, claim);
  CHECK_THROWS_AS(decode_frame(bytes), run_error);
}

TEST_CASE("pieces make a frame, and no endless one") {
  frame_pieces pieces;
  CHECK_FALSE(pieces.add("ab", true));
  CHECK(pieces.add("c", false));
  CHECK(pieces.take() == "abc");
  CHECK(pieces.add("", false));
  CHECK(pieces.take().empty());
  const std::string piece(longest_piece, 'x');
  for (std::size_t sent = 0; sent < longest_frame; sent += piece.size()) pieces.add(piece, true);
  CHECK_THROWS_AS(pieces.add("x", true), run_error);
}

TEST_CASE("an order names everything that a model is") {
  transferred_model model;
  model.name = "policy";
  model.spec.model_type = "qwen3";
  model.spec.hidden_size = 64;
  model.spec.norm = norm_kind::layer;
  model.spec.positions = position_kind::learned;
  model.spec.rope.type = rope_scaling::kind::llama3;
  model.spec.rope.factor = 8;
  model.spec.qk_norm = true;
  model.spec.layers = 2;
  model.spec.windows = {0, 128};
  model.spec.eos_tokens = {3, 7};
  model.spec.labels = 1;
  model.spec.initializer_range = 0.1;
  model.text = {{"tokenizer.json", "{\"a\":1}"}, {"merges.txt", ""}};
  model.adapter = adapter_spec{8, 16.5, true, {"q_proj", "v_proj"}};
  model.moves = true;
  placement_request order;
  order.label = "sampler-2";
  order.actor = "sampler";
  order.topology = "[run]\nname = \"x\"\n";
  order.weights.host = "::1";
  order.weights.port = 4711;
  order.models.push_back(model);
  order.threads = 3;
  const auto back = decode_order(encode_order(order));
  CHECK(back.label == "sampler-2");
  CHECK(back.actor == "sampler");
  CHECK(back.topology == order.topology);
  CHECK(back.weights == order.weights);
  CHECK(back.threads == 3);
  REQUIRE(back.models.size() == 1);
  CHECK(back.models[0].spec == model.spec);
  CHECK(back.models[0].text == model.text);
  CHECK(back.models[0].adapter == model.adapter);
  CHECK(back.models[0].moves);
  const auto bytes = encode_order(order);
  for (std::size_t length = 0; length < bytes.size(); length += 7)
    CHECK_THROWS_AS(decode_order(std::string_view(bytes).substr(0, length)), run_error);
}
