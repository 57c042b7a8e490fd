// Ranks that keep parts of the parameters (zero = 3) against a single one that has them all.
#include <ATen/ATen.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <thread>

#include "models/error.hpp"
#include "models/network/batch.hpp"
#include "runtime/learning/sharded_model.hpp"
#include "runtime/learning/trainer.hpp"
#include "tests/support/compare_courses.hpp"
#include "tests/support/rank_courses.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using namespace slipstream::test::ranks;

namespace {

constexpr std::int64_t no_labels = 0;

trainer_options sharded_options(const std::string &loss, std::int64_t replicas) {
  auto options = options_of(loss, replicas);
  options.zero = 3;
  return options;
}

/// Five layers of a family that has all there is outside of them: positions, a norm with a bias, or a head of
/// its own.
transformer model_of(const std::string &type, bool tied, std::int64_t labels, numerics mode) {
  model_spec spec;
  spec.model_type = type;
  spec.vocab_size = 12, spec.hidden_size = 16, spec.intermediate_size = 24, spec.layers = 5, spec.heads = 2;
  spec.kv_heads = 2, spec.head_dim = 8, spec.max_positions = 16, spec.labels = labels;
  spec.initializer_range = 0.2, spec.tied_embeddings = tied;
  if (type == "gpt2") {
    spec.norm = norm_kind::layer, spec.positions = position_kind::learned;
    spec.activation = activation_kind::gelu_tanh;
    spec.qkv_bias = spec.output_bias = spec.mlp_bias = true;
  }
  return {spec, initial_parameters(spec, 5), mode};
}

/// Sequences of 1 to 7 tokens.
token_batch tokens_of(std::int64_t first) {
  std::vector<std::vector<std::int64_t>> rows;
  for (std::int64_t i = 0; i < 3; ++i) {
    rows.emplace_back();
    for (std::int64_t t = 0; t < 1 + (first + 3 * i) % 7; ++t)
      rows.back().push_back((first + 5 * i + t) % 12);
  }
  return pad_tokens(rows, 0);
}

at::Tensor loss_of(const transformer &network, const token_batch &tokens) {
  return network.spec().labels > 0 ? batch_scores(network, tokens).sum()
                                   : batch_logprobs(network, tokens, 0.8).logprobs.sum();
}

/// The gradient [parameters] of the sum over the batches, each rank with one of them, put together.
at::Tensor gradient_of_ranks(const transformer &whole, std::int64_t ranks, double &loss) {
  const auto where = meet_here();
  std::vector<std::thread> threads;
  std::vector<double> losses(static_cast<std::size_t>(ranks));
  const auto together = at::zeros_like(whole.flat());
  for (std::int64_t rank = 0; rank < ranks; ++rank)
    threads.emplace_back([&, rank] {
      sharded_model own(join_group(where, {rank, ranks}), whole, "cpu", true);
      own.begin_pass(true);
      const auto value = loss_of(own.network(), tokens_of(rank));
      value.backward();
      own.end_pass();
      losses[static_cast<std::size_t>(rank)] = value.item<double>();
      own.collect(own.gradient(), rank == 0 ? together : at::Tensor());
    });
  for (auto &thread : threads) thread.join();
  loss = 0;
  for (const double each : losses) loss += each;
  return together;
}

batch without_references(batch given) {
  for (auto &group : given) {
    auto own = std::make_shared<sample_group>(*group);
    for (auto &each : own->samples) each.reference.clear();
    group = own;
  }
  return given;
}

}  // namespace

TEST_CASE("a network in parts computes what the whole one does, forwards and backwards") {
  for (const std::string type : {"llama", "gpt2"})
    for (const bool tied : {false, true})
      for (const std::int64_t labels : {0, 1})
        for (const auto mode : {numerics::exact, numerics::fast}) {
          if (type == "gpt2" && !tied) continue;
          CAPTURE(type, tied, labels, mode == numerics::exact);
          const auto whole = model_of(type, tied, labels, mode);
          for (const std::int64_t ranks : {1, 2, 3}) {
            auto plain = whole.with_trainable(whole.flat().clone());
            const auto wanted = at::zeros_like(whole.flat());
            plain.train_into(wanted);
            double loss = 0, got_loss = 0;
            for (std::int64_t rank = 0; rank < ranks; ++rank) {
              const auto value = loss_of(plain, tokens_of(rank));
              value.backward();
              loss += value.item<double>();
            }
            const auto got = gradient_of_ranks(whole, ranks, got_loss);
            CHECK(got_loss == loss);
            CHECK(at::allclose(got, wanted, 1e-5, 1e-5));
            if (ranks == 1) CHECK(at::equal(got, wanted));
            CHECK(wanted.abs().max().item<double>() > 0.01);
          }
        }
}

TEST_CASE("layers lie in the flat buffer one behind the other, whatever the family") {
  const auto check = [](const model_spec &spec) {
    const auto ranges = layer_ranges(spec);
    REQUIRE(static_cast<std::int64_t>(ranges.size()) == spec.layers);
    for (std::size_t i = 1; i < ranges.size(); ++i)
      CHECK(ranges[i].first == ranges[i - 1].first + ranges[i - 1].second);
    for (const auto &slot : parameter_layout(spec)) {
      const bool inside =
          slot.offset >= ranges.front().first && slot.offset < ranges.back().first + ranges.back().second;
      CHECK(inside ==
            (slot.name.find(".layers.") != std::string::npos || slot.name.find("h.") != std::string::npos));
    }
  };
  check(model_of("llama", false, 0, numerics::exact).spec());
  check(model_of("gpt2", true, 0, numerics::exact).spec());
}

TEST_CASE("a rank has its part of the model, two layers, and what is outside of the layers") {
  model_spec spec = small_model(no_labels).spec();
  spec.layers = 12;
  const transformer whole(spec, initial_parameters(spec, 3), numerics::exact);
  constexpr std::int64_t ranks = 4;
  const auto layer = layer_ranges(spec).front().second, all = parameter_count(spec);
  const auto outside = all - spec.layers * layer;
  std::vector<std::int64_t> bytes(ranks);
  const auto where = meet_here();
  std::vector<std::thread> threads;
  for (std::int64_t rank = 0; rank < ranks; ++rank)
    threads.emplace_back([&, rank] {
      sharded_model own(join_group(where, {rank, ranks}), whole, "cpu", true);
      for (int pass = 0; pass < 3; ++pass) {
        own.begin_pass(true);
        loss_of(own.network(), tokens_of(rank)).backward();
        own.end_pass();
      }
      bytes[static_cast<std::size_t>(rank)] = own.bytes();
    });
  for (auto &thread : threads) thread.join();
  for (const auto own : bytes) {
    CHECK(own <= 2 * 4 * (all / ranks + spec.layers + 2 * layer + outside));
    CHECK(own < 2 * 4 * all / 2);
  }
}

TEST_CASE("ranks with parts of the parameters learn what one rank does, whatever the loss") {
  for (const auto &row : objective_rows()) {
    CAPTURE(std::string(row.name));
    check_alike(train_three(sharded_options(std::string(row.name), 3)),
                train_three(options_of(std::string(row.name), 1)));
  }
}

TEST_CASE("ranks with parts take from the whole batch what concerns all of it, and repeat their bits") {
  const auto alone = rank_settings(1), shared = rank_settings(4);
  for (std::size_t i = 0; i < shared.size(); ++i) {
    CAPTURE(i, std::string(shared[i].objective->name));
    auto options = shared[i];
    options.zero = 3;
    const auto once = train_three(options), twice = train_three(options);
    check_alike(once, train_three(alone[i]));
    CHECK(at::equal(once.weights, twice.weights));
    CHECK(once.metrics == twice.metrics);
  }
}

TEST_CASE("a reference model is in parts, too") {
  const auto other = small_model(no_labels);
  const auto reference = std::make_shared<const transformer>(other.with_trainable(other.flat() * 1.1));
  for (const std::string loss : {"dpo", "decoupled_ppo"}) {
    CAPTURE(loss);
    std::vector<course> courses;
    for (const std::int64_t replicas : {1, 3}) {
      auto options = replicas == 1 ? options_of(loss, 1) : sharded_options(loss, replicas);
      options.reference = reference, options.epochs = 2, options.mini_batches = 2;
      options.loss.kl_coefficient = loss == "dpo" ? 0 : 0.2;
      trainer core(options, small_model(no_labels));
      course made;
      for (std::uint64_t update = 0; update < 2; ++update)
        made.metrics.push_back(train(core, without_references(batch_of(10 * update))).metrics);
      made.weights = core.model().flat().clone();
      made.state = core.state();
      courses.push_back(made);
    }
    check_alike(courses[1], courses[0]);
  }
}

TEST_CASE("a checkpoint does not tell how many ranks had parts of it") {
  const auto initial = small_model(no_labels);
  auto options = sharded_options("decoupled_ppo", 3);
  trainer straight(options, initial);
  train(straight, batch_of(0));
  const auto moments = straight.optimizer();
  const auto state = straight.state();
  const auto stored = initial.with_trainable(straight.model().flat().clone());
  trainer whole(options_of("decoupled_ppo", 1), initial);
  train(whole, batch_of(0));
  CHECK(at::allclose(moments.m, whole.optimizer().m, 1e-4, 1e-7));
  CHECK(at::allclose(moments.v, whole.optimizer().v, 1e-4, 1e-9));
  train(straight, batch_of(10));
  for (const std::int64_t replicas : {1, 2, 3})
    for (const std::int64_t zero : {0, 1, 3}) {
      CAPTURE(replicas, zero);
      auto others = options_of("decoupled_ppo", replicas);
      others.zero = zero;
      trainer resumed(others, stored);
      resumed.resume({moments.m.clone(), moments.v.clone(), moments.step}, state);
      CHECK(at::equal(resumed.optimizer().m, moments.m));
      CHECK(resumed.optimizer().step == moments.step);
      train(resumed, batch_of(10));
      CHECK(resumed.version() == 2);
      CHECK(at::allclose(resumed.model().flat(), straight.model().flat(), 0, 1e-6));
      if (replicas == 3 && zero == 3) CHECK(at::equal(resumed.model().flat(), straight.model().flat()));
    }
}

TEST_CASE("ranks without samples give the others their parts all the same") {
  batch given = {group_of(0, 0), group_of(1, 0), group_of(2, 1), group_of(3, 0)};
  auto options = options_of("grpo", 1);
  options.mini_batches = 2, options.sft_weight = 0.1, options.sft_batch = 2;
  trainer alone(options, small_model(no_labels));
  options.replicas = 4, options.zero = 3;
  trainer shared(options, small_model(no_labels));
  const auto shown = batch_of(100, 2);
  const auto wanted = train(alone, given, shown), got = train(shared, given, shown);
  CHECK(at::allclose(got.weights->flat(), wanted.weights->flat(), 0, 1e-6));
  CHECK_FALSE(at::equal(got.weights->flat(), small_model(no_labels).flat()));
}

TEST_CASE("a published version stays as it is while the ranks go on") {
  trainer core(sharded_options("decoupled_ppo", 2), small_model(no_labels));
  const auto first = train(core, batch_of(0)).weights;
  const auto copy = first->flat().clone();
  for (std::uint64_t update = 1; update < 4; ++update) train(core, batch_of(10 * update));
  CHECK(at::equal(first->flat(), copy));
  CHECK_FALSE(at::equal(core.model().flat(), copy));
}

TEST_CASE("a guard rolls the parts of all ranks back, and the gradient of a batch is that of all of it") {
  auto options = braking_options();
  const auto alone = train_three(options);
  options.replicas = 3, options.zero = 3;
  CHECK(alone.metrics[0].contains("guard"));
  check_alike(train_three(options), alone);

  auto plain = options_of("m2po", 1);
  plain.loss.m2po_tau = 0.01;
  trainer one(plain, small_model(no_labels));
  plain.replicas = 2, plain.zero = 3;
  trainer shared(plain, small_model(no_labels));
  CHECK(at::equal(shared.gradient(batch_of(0)).sum, one.gradient(batch_of(0)).sum));
}

TEST_CASE("what breaks a rank in the middle of a pass is what the run hears of") {
  auto broken = std::make_shared<sample_group>(*group_of(3, 1));
  for (auto &entry : broken->samples) entry.behaviour[0] = std::numeric_limits<float>::quiet_NaN();
  for (const std::size_t place : {0, 1, 5}) {
    auto given = batch_of(0);
    given[place] = broken;
    trainer core(sharded_options("ppo", 3), small_model(no_labels));
    CHECK_THROWS_WITH(train(core, given), test::Contains("not finite in update 1"));
  }
}
