#include "runtime/schedule/order_buffer.hpp"
#include "runtime/schedule/shared_batches.hpp"

#include <algorithm>
#include <numeric>
#include <random>

#include "models/error.hpp"
#include "tests/support/schedules.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

sample_group_ptr group(std::uint64_t id, std::int64_t version = 0) {
  auto result = std::make_shared<sample_group>();
  result->id = id;
  result->rollouts = 1;
  result->samples.resize(1);
  result->samples[0].versions = {version};
  return result;
}

using numbers = std::vector<std::uint64_t>;

numbers ids(const std::vector<sample_group_ptr> &batch) {
  numbers result;
  for (const auto &entry : batch) result.push_back(entry->id);
  return result;
}

order_buffer strict(std::int64_t places) {
  return {test::order_named("strict"), {}, places};
}

}  // namespace

TEST_CASE("groups leave in the order of their draw, in whole batches, whatever order they come in") {
  std::mt19937_64 dice(3);
  for (int schedule = 0; schedule < 2000; ++schedule) {
    INFO("schedule " << schedule);
    const std::size_t places = 1 + dice() % 4, batches = 1 + dice() % 5;
    auto buffer = strict(static_cast<std::int64_t>(places));
    numbers arrivals(places * batches + dice() % 5);
    std::iota(arrivals.begin(), arrivals.end(), std::uint64_t{0});
    for (const auto id : arrivals) buffer.draw(id, 0);
    std::shuffle(arrivals.begin(), arrivals.end(), dice);
    const auto dropped = [&](std::uint64_t id) { return id % 5 == static_cast<std::uint64_t>(schedule % 7); };

    numbers consumed;
    const auto consume = [&] {
      for (auto batch = buffer.take(0).batch; !batch.empty(); batch = buffer.take(0).batch) {
        CHECK(batch.size() == places);
        for (const auto taken : ids(batch)) consumed.push_back(taken);
      }
    };
    for (const auto id : arrivals) {
      if (dropped(id))
        buffer.drop(id);
      else
        buffer.put(group(id));
      if (dice() % 3 != 0) consume();  // or the learner is busy
    }
    consume();

    numbers expected;
    for (std::uint64_t id = 0; id < arrivals.size(); ++id)
      if (!dropped(id)) expected.push_back(id);
    expected.resize(expected.size() / places * places);
    CHECK(consumed == expected);
  }
}

TEST_CASE("a buffer holds a batch back until it is whole") {
  auto buffer = strict(2);
  for (std::uint64_t id = 0; id < 5; ++id) buffer.draw(id, 0);
  buffer.put(group(1));
  CHECK(buffer.take(0).batch.empty());
  CHECK(buffer.pool().held() == 1);
  buffer.put(group(0));
  CHECK(ids(buffer.take(0).batch) == numbers{0, 1});
  CHECK(buffer.take(0).batch.empty());
  buffer.put(group(2));
  CHECK(buffer.take(0).batch.empty());
  buffer.drop(3);
  buffer.put(group(4));
  CHECK(ids(buffer.take(0).batch) == numbers{2, 4});
  CHECK(buffer.pool().in_flight().empty());
}

TEST_CASE("a group that arrives twice, or from nowhere, is a defect, not more data") {
  auto buffer = strict(1);
  CHECK_THROWS_WITH(buffer.put(group(0)),
                    "buffer: group 0 arrived without having been drawn, or after it had gone");
  buffer.draw(0, 0);
  buffer.draw(1, 0);
  CHECK_THROWS_WITH(buffer.draw(0, 0), "buffer: group 0 was drawn twice");
  buffer.put(group(1));
  CHECK_THROWS_WITH(buffer.put(group(1)), "buffer: group 1 arrived twice");
  buffer.put(group(0));
  CHECK(ids(buffer.take(0).batch) == numbers{0});
  CHECK_THROWS_AS(buffer.put(group(0)), run_error);
  CHECK_THROWS_AS(buffer.drop(0), run_error);
}

TEST_CASE("what was consumed before an interruption is consumed again first, in the same batches") {
  auto buffer = strict(2);
  group_pool pool(2);
  pool.consumed(0);
  pool.consumed(3);
  for (const std::uint64_t id : {1, 2}) pool.draw(id, 0);
  buffer.restore(pool);
  const auto before = std::make_shared<const std::vector<sample_group_ptr>>(
      std::vector<sample_group_ptr>{group(3), group(0)});
  shared_batches batches(buffer, {{"", {0, 1}}}, {before});
  batches.put(group(1));
  batches.put(group(2));
  batches.compose();
  const auto first = batches.take("", 0), second = batches.take("", 1);
  REQUIRE((first && second));
  CHECK(first->again);
  CHECK(ids(*first->groups) == numbers{3, 0});
  CHECK_FALSE(second->again);
  CHECK(ids(*second->groups) == numbers{1, 2});
}

TEST_CASE("an order that chooses more than a batch is a defect, not a run that waits for ever") {
  auto greedy = test::order_named("strict");
  greedy.name = "greedy";
  greedy.choose = [](const group_pool &pool, const order_state &) {
    return batch_choice{pool.by_arrival(), {}};
  };
  order_buffer buffer(greedy, {}, 1);
  for (const std::uint64_t id : {0, 1}) {
    buffer.draw(id, 0);
    buffer.put(group(id));
  }
  CHECK_THROWS_WITH(buffer.take(0), "order \"greedy\" chose 2 groups for a batch of 1");
}
