// A learner of N ranks against a single one: the same losses, figures and weights, the same bits in every
// repeat.
#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <thread>

#include "models/error.hpp"
#include "runtime/learning/shares.hpp"
#include "runtime/learning/trainer.hpp"
#include "tests/support/compare_courses.hpp"
#include "tests/support/rank_courses.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;
using namespace slipstream::test::ranks;

TEST_CASE("losses, gradients and figures do not change with the data-parallel size, whatever the loss") {
  for (const auto &row : objective_rows()) {
    CAPTURE(std::string(row.name));
    const auto alone = train_three(options_of(std::string(row.name), 1));
    for (const std::int64_t replicas : {2, 3})
      check_alike(train_three(options_of(std::string(row.name), replicas)), alone);
  }
}

TEST_CASE("ranks take from the whole batch what concerns all of it: N of them do what one does") {
  const auto alone = rank_settings(1);
  for (const std::int64_t replicas : {2, 4}) {
    const auto shared = rank_settings(replicas);
    for (std::size_t i = 0; i < shared.size(); ++i) {
      CAPTURE(i, std::string(shared[i].objective->name));
      check_alike(train_three(shared[i]), train_three(alone[i]));
    }
  }
}

TEST_CASE("the same ranks give the same bits, and sharded moments give them too") {
  for (auto options : rank_settings(3)) {
    CAPTURE(std::string(options.objective->name));
    const auto once = train_three(options), twice = train_three(options);
    CHECK(at::equal(once.weights, twice.weights));
    for (auto &metrics : {once.metrics, twice.metrics}) CHECK(metrics == once.metrics);
    options.zero = 1;
    const auto sharded = train_three(options);
    CHECK(at::equal(once.weights, sharded.weights));
    CHECK(sharded.metrics == once.metrics);
  }
}

TEST_CASE("every rank holds the same weights, and of sharded moments its part") {
  constexpr std::int64_t ranks = 3;
  const auto initial = small_model(0);
  auto options = options_of("decoupled_ppo", ranks);
  options.zero = 1;
  const auto led = train_three(options);
  std::vector<at::Tensor> weights(ranks);
  const auto where = meet_here();
  std::vector<std::thread> threads;
  for (std::int64_t rank = 0; rank < ranks; ++rank)  // nobody leads: each is told by its own thread
    threads.emplace_back([&, rank] {
      auto own = options;
      own.ranks = join_group(where, {rank, ranks});
      trainer core(own, initial);
      for (std::uint64_t update = 0; update < 3; ++update) train(core, batch_of(10 * update));
      weights[static_cast<std::size_t>(rank)] = core.model().flat().clone();
    });
  for (auto &thread : threads) thread.join();
  for (const auto &own : weights) CHECK(at::equal(own, led.weights));
  CHECK_FALSE(at::equal(led.weights, initial.flat()));
}

TEST_CASE("a learner of several ranks goes on from a checkpoint bit for bit, sharded or not") {
  const auto initial = small_model(0);
  for (const bool sharded : {false, true}) {
    auto options = options_of("decoupled_ppo", 2);
    options.zero = sharded ? 1 : 0;
    trainer straight(options, initial);
    train(straight, batch_of(0));
    const auto moments = straight.optimizer();
    const auto state = straight.state();
    const auto stored = initial.with_trainable(straight.model().trainable().clone());
    CHECK(moments.m.numel() == initial.trainable().numel());
    auto plain = options;
    plain.zero = 0;
    trainer unsharded(plain, initial);
    train(unsharded, batch_of(0));
    CHECK(at::equal(moments.m, unsharded.optimizer().m));
    CHECK(at::equal(moments.v, unsharded.optimizer().v));
    const auto copy = adamw_state{moments.m.clone(), moments.v.clone(), moments.step};
    train(straight, batch_of(10));
    trainer resumed(options, stored);
    resumed.resume(copy, state);
    train(resumed, batch_of(10));
    CHECK(at::equal(resumed.model().flat(), straight.model().flat()));
    CHECK(resumed.version() == 2);
  }
}

TEST_CASE("ranks without work in a step take it all the same") {
  batch given = {group_of(0, 0), group_of(1, 0), group_of(2, 1), group_of(3, 0)};
  for (auto &entry : std::const_pointer_cast<sample_group>(given[2])->samples)
    if (&entry != &given[2]->samples.front()) entry.advantages.assign(entry.advantages.size(), 0);
  auto options = options_of("grpo", 1);
  trainer alone(options, small_model(0));
  options.replicas = 4;  // one sample for four ranks
  trainer shared(options, small_model(0));
  const auto wanted = train(alone, given), got = train(shared, given);
  CHECK(largest_difference(got.weights->flat(), wanted.weights->flat()) < 1e-6);
  CHECK(got.metrics["loss"].get<double>() == Approx(wanted.metrics["loss"].get<double>()).epsilon(1e-6));
  CHECK_FALSE(at::equal(got.weights->flat(), small_model(0).flat()));
  const batch nothing = {group_of(4, 0), group_of(5, 0)};
  CHECK(at::equal(train(shared, nothing).weights->flat(), got.weights->flat()));
  CHECK(shared.version() == 2);
}

TEST_CASE("a guard checks the figures of all ranks, and rolls all of them back") {
  auto options = braking_options();
  const auto alone = train_three(options);
  options.replicas = 3;
  const auto shared = train_three(options);
  CHECK(alone.metrics[0].contains("guard"));
  check_alike(shared, alone);
}

TEST_CASE("the gradient of a batch is that of all its samples, whatever the ranks") {
  auto options = options_of("m2po", 1);
  options.loss.m2po_tau = 0.01;
  trainer alone(options, small_model(0));
  options.replicas = 2;
  trainer shared(options, small_model(0));
  const auto wanted = alone.gradient(batch_of(0)), got = shared.gradient(batch_of(0));
  CHECK(at::equal(got.sum, wanted.sum));
  CHECK(got.variance == wanted.variance);
  CHECK(at::allclose(train(shared, batch_of(0)).weights->flat(), train(alone, batch_of(0)).weights->flat(), 0,
                     1e-6));
}

TEST_CASE("what breaks a rank is what the run hears of, and nobody waits for it") {
  auto broken = std::make_shared<sample_group>(*group_of(3, 1));
  for (auto &entry : broken->samples) entry.behaviour[0] = std::numeric_limits<float>::quiet_NaN();
  for (const std::size_t place : {0, 1, 5}) {  // on whichever rank it is
    auto given = batch_of(0);
    given[place] = broken;
    trainer core(options_of("ppo", 3), small_model(0));
    CHECK_THROWS_WITH(train(core, given), test::Contains("not finite in update 1"));
  }
  auto options = options_of("decoupled_ppo", 2);
  options.staleness_bound = 0;
  trainer core(options, small_model(0));
  train(core, batch_of(0));
  CHECK_THROWS_WITH(train(core, batch_of(10)), test::Contains("the staleness contract is broken: prompt 10"));
}

TEST_CASE("samples are shared out by tokens, pairs together, in their order") {
  std::vector<sample> samples(10);
  const std::vector<std::size_t> lengths = {9, 1, 2, 2, 8, 1, 3, 3, 4, 4};
  std::vector<const sample *> given;
  for (std::size_t i = 0; i < lengths.size(); ++i) {
    samples[i].tokens.assign(lengths[i], 1);
    given.push_back(&samples[i]);
  }
  const auto tokens = [](const std::vector<const sample *> &share) {
    std::size_t sum = 0;
    for (const auto *entry : share) sum += entry->tokens.size();
    return sum;
  };
  const auto single = share_by_tokens(given, 1, 1);
  CHECK(single == std::vector<std::vector<const sample *>>{given});
  const auto three = share_by_tokens(given, 1, 3);
  std::size_t count = 0;
  for (const auto &share : three) {
    CHECK(tokens(share) >= 12);
    CHECK(tokens(share) <= 13);
    CHECK(std::is_sorted(share.begin(), share.end()));
    count += share.size();
  }
  CHECK(count == 10);
  for (const auto &share : share_by_tokens(given, 2, 2)) {
    REQUIRE(share.size() % 2 == 0);
    for (std::size_t i = 0; i < share.size(); i += 2) {
      CHECK((share[i] - samples.data()) % 2 == 0);
      CHECK(share[i + 1] == share[i] + 1);
    }
  }
  CHECK(share_by_tokens({}, 1, 2) == std::vector<std::vector<const sample *>>(2));
}
