#include "runtime/schedule/order_buffer.hpp"

#include <algorithm>
#include <numeric>
#include <random>

#include "models/error.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

sample_group_ptr group(std::uint64_t id, std::int64_t rollouts) {
  auto result = std::make_shared<sample_group>();
  result->id = id;
  result->rollouts = rollouts;
  return result;
}

std::vector<std::uint64_t> ids(const std::vector<sample_group_ptr> &batch) {
  std::vector<std::uint64_t> result;
  for (const auto &entry : batch) result.push_back(entry->id);
  return result;
}

}  // namespace

TEST_CASE("groups leave in the order of their draw, in whole batches, whatever order they come in") {
  std::mt19937_64 dice(3);
  for (int schedule = 0; schedule < 2000; ++schedule) {
    INFO("schedule " << schedule);
    const std::size_t groups_a_batch = 1 + dice() % 4, batches = 1 + dice() % 5, rollouts = 1 + dice() % 3;
    order_buffer buffer(static_cast<std::int64_t>(groups_a_batch * rollouts));
    std::vector<std::uint64_t> arrivals(groups_a_batch * batches + dice() % 5);
    std::iota(arrivals.begin(), arrivals.end(), std::uint64_t{0});
    std::shuffle(arrivals.begin(), arrivals.end(), dice);
    const auto dropped = [&](std::uint64_t id) { return id % 5 == static_cast<std::uint64_t>(schedule % 7); };

    std::vector<std::uint64_t> consumed;
    for (const auto id : arrivals) {
      if (dropped(id))
        buffer.drop(id);
      else
        buffer.put(group(id, static_cast<std::int64_t>(rollouts)));
      if (dice() % 3 == 0) continue;  // the learner is busy
      while (const auto batch = buffer.take()) {
        CHECK(batch->size() == groups_a_batch);
        for (const auto taken : ids(*batch)) consumed.push_back(taken);
      }
    }
    while (const auto batch = buffer.take())
      for (const auto taken : ids(*batch)) consumed.push_back(taken);

    std::vector<std::uint64_t> expected;
    for (std::uint64_t id = 0; id < arrivals.size(); ++id)
      if (!dropped(id)) expected.push_back(id);
    expected.resize(expected.size() / groups_a_batch * groups_a_batch);
    CHECK(consumed == expected);
  }
}

TEST_CASE("a buffer holds a batch back until it is whole") {
  order_buffer buffer(4);
  buffer.put(group(1, 2));
  CHECK_FALSE(buffer.take());
  CHECK(buffer.held() == 1);
  CHECK(buffer.next() == 0);
  buffer.put(group(0, 2));
  CHECK(ids(*buffer.take()) == std::vector<std::uint64_t>{0, 1});
  CHECK_FALSE(buffer.take());
  CHECK(buffer.next() == 2);
  buffer.put(group(2, 2));
  CHECK_FALSE(buffer.take());
  buffer.drop(3);
  buffer.put(group(4, 2));
  CHECK(ids(*buffer.take()) == std::vector<std::uint64_t>{2, 4});
}

TEST_CASE("a group that arrives twice is a defect, not more data") {
  order_buffer buffer(2);
  buffer.put(group(0, 1));
  CHECK_THROWS_WITH(buffer.put(group(0, 1)), "buffer: group 0 arrived twice");
  buffer.put(group(1, 1));
  CHECK(buffer.take());
  CHECK_THROWS_AS(buffer.put(group(1, 1)), run_error);
}
