// Ranks as threads of one process: what they add up, tell each other, and how they notice that one is gone.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <latch>
#include <thread>

#include "models/network/batch.hpp"
#include "models/network/transformer.hpp"
#include "runtime/learning/gradient_reducer.hpp"
#include "runtime/parallel/process_group.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

using rank_work = std::function<void(process_group &)>;

/// Runs `work` on `size` ranks and gives back what each one threw, as text.
std::vector<std::string> on_ranks(std::int64_t size, const rank_work &work,
                                  std::chrono::milliseconds patience = std::chrono::seconds(60)) {
  const auto where = meet_here();
  std::vector<std::string> thrown(static_cast<std::size_t>(size));
  std::vector<std::thread> threads;
  for (std::int64_t rank = 0; rank < size; ++rank)
    threads.emplace_back([=, &thrown] {
      try {
        work(*join_group(where, {rank, size, "cpu", patience}));
      } catch (const rank_lost &lost) {
        thrown[static_cast<std::size_t>(rank)] = lost.what();
      }
    });
  for (auto &thread : threads) thread.join();
  return thrown;
}

std::vector<std::string> nothing(std::int64_t ranks) {
  return std::vector<std::string>(static_cast<std::size_t>(ranks));
}

/// Numbers whose sum depends on the order in which they are added.
at::Tensor uneven(std::int64_t rank, std::int64_t n) {
  return at::arange(n, at::kFloat)
      .add_(1)
      .mul_(0.37 + 1e3 * static_cast<double>(rank))
      .sin_()
      .mul_(1 + 99.0 * rank);
}

transformer small_model() {
  model_spec spec;
  spec.vocab_size = 12, spec.hidden_size = 8, spec.intermediate_size = 12, spec.layers = 3, spec.heads = 2;
  spec.kv_heads = 2, spec.head_dim = 4, spec.max_positions = 16;
  return {spec, initial_parameters(spec, 4), numerics::exact};
}

at::Tensor loss_of(const transformer &model, std::int64_t first) {
  const auto tokens = pad_tokens({{first, 2, 3, 4}, {5, first, 7}}, 0);
  return batch_logprobs(model, tokens, 1.0).logprobs.sum();
}

}  // namespace

TEST_CASE("ranks add up tensors, and all get the same bits, the same ones again") {
  for (const std::int64_t ranks : {2, 3, 5}) {
    std::vector<at::Tensor> sums(static_cast<std::size_t>(ranks)), again = sums;
    for (auto *kept : {&sums, &again}) {
      const auto thrown = on_ranks(ranks, [&](process_group &group) {
        auto values = uneven(group.rank(), 1000), rest = uneven(group.rank(), 77);
        group.start_sum(values);
        group.start_sum(rest.narrow(0, 7, 70));
        group.wait();
        (*kept)[static_cast<std::size_t>(group.rank())] = at::cat({values, rest});
      });
      CHECK(thrown == nothing(ranks));
    }
    auto expected = at::zeros({1000}, at::kDouble);
    for (std::int64_t rank = 0; rank < ranks; ++rank) expected += uneven(rank, 1000);
    CHECK(at::allclose(sums[0].narrow(0, 0, 1000).to(at::kDouble), expected, 1e-5, 1e-4));
    CHECK(
        at::equal(sums[0].narrow(0, 1000, 7), uneven(0, 77).narrow(0, 0, 7)));  // beside the part: untouched
    for (std::size_t rank = 0; rank < sums.size(); ++rank) {
      CHECK(at::equal(sums[rank].narrow(0, 0, 1000), sums[0].narrow(0, 0, 1000)));
      CHECK(at::equal(again[rank], sums[rank]));
    }
  }
}

TEST_CASE("ranks tell each other tensors and texts of any length, and hand out what one has") {
  const auto thrown = on_ranks(3, [](process_group &group) {
    const auto rank = group.rank();
    const auto all = group.gather(at::full({rank}, rank, at::kDouble));
    const auto texts = group.gather(std::string(static_cast<std::size_t>(2 - rank), 'x'));
    const auto none = group.gather(at::empty({0}, at::kDouble));
    auto values = at::full({5}, rank, at::kFloat);
    group.start_broadcast(values.narrow(0, 1, 3), 2);
    group.wait();
    bool right = all.size() == 3 && texts == std::vector<std::string>{"xx", "x", ""} && none.size() == 3;
    for (std::int64_t other = 0; right && other < 3; ++other) {
      const auto &tensor = all[static_cast<std::size_t>(other)];
      right = tensor.numel() == other && tensor.eq(other).all().item<bool>() &&
              none[static_cast<std::size_t>(other)].numel() == 0;
    }
    right = right && values.narrow(0, 1, 3).eq(2).all().item<bool>() && values[0].item<float>() == rank &&
            values[4].item<float>() == rank;
    if (!right) throw rank_lost("wrong");
  });
  CHECK(thrown == nothing(3));
}

TEST_CASE("who waits for a rank that left hears of it at once, and of one that never comes in its patience") {
  const auto left = on_ranks(3, [](process_group &group) {
    if (group.rank() == 1) return group.leave();
    auto values = at::ones({64});
    group.start_sum(values);
    group.wait();  // 60 s at most: the test would run out of time
  });
  CHECK(left[1].empty());
  for (const std::size_t rank : {0, 2})
    CHECK_THAT(left[rank], test::Contains("of 3 waits for another in vain"));

  std::latch given_up(1);
  const auto hung = on_ranks(
      2,
      [&](process_group &group) {
        if (group.rank() == 1) return given_up.wait();  // it is there, and does not take part
        auto values = at::ones({64});
        group.start_sum(values);
        try {
          group.wait();
        } catch (const rank_lost &) {
          given_up.count_down();
          throw;
        }
      },
      std::chrono::milliseconds(300));
  CHECK_THAT(hung[0], test::Contains("rank 0 of 2 waits for another in vain"));

  CHECK_THROWS_AS(join_group(meet_here(), {0, 2, "cpu", std::chrono::milliseconds(300)}), rank_lost);
}

TEST_CASE("gradients are added up in buckets, the first of them before the backward pass has ended") {
  const auto plain = small_model();
  const auto n = plain.trainable().numel();
  auto expected = at::zeros({n});
  for (const int seed : {1, 6}) {
    const auto part = at::zeros({n});
    auto whole = plain.with_trainable(plain.trainable().clone());
    whole.train_into(part);
    loss_of(whole, seed).backward();
    expected.add_(part);
  }
  for (const std::int64_t bucket : {n + 5, std::int64_t{100}, std::int64_t{37}}) {
    CAPTURE(bucket);
    std::vector<at::Tensor> sums(2);
    std::vector<std::int64_t> early(2);
    const auto thrown = on_ranks(2, [&](process_group &given) {
      const std::shared_ptr<process_group> group(std::shared_ptr<void>(), &given);
      const auto gradient = at::zeros({n});
      auto model = plain.with_trainable(plain.trainable().clone());
      model.train_into(gradient);
      gradient_reducer reducer(group, gradient, bucket);
      for (int step = 0; step < 2; ++step) {  // the second shows that it starts anew
        gradient.zero_();
        reducer.backward(loss_of(model, given.rank() == 0 ? 1 : 6));
        reducer.finish();
      }
      sums[static_cast<std::size_t>(given.rank())] = gradient;
      early[static_cast<std::size_t>(given.rank())] = reducer.started_early();
      if (reducer.buckets() != (n + bucket - 1) / bucket) throw rank_lost("buckets");
    });
    CHECK(thrown == nothing(2));
    CHECK(at::equal(sums[0], expected));  // two addends have one order
    CHECK(at::equal(sums[0], sums[1]));
    for (const auto count : early) CHECK(count >= (bucket < n ? n / bucket / 2 : 1));
  }
}
