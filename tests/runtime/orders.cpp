#include "runtime/schedule/orders.hpp"

#include <set>

#include "tests/support/schedules.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

using numbers = std::vector<std::uint64_t>;
using numbers_taken = std::set<std::uint64_t>;

sample_group_ptr group(std::uint64_t id, std::vector<std::int64_t> versions,
                       std::vector<std::int64_t> cache_versions = {}) {
  auto result = std::make_shared<sample_group>();
  result->id = id;
  result->samples.resize(1);
  result->samples[0].versions = std::move(versions);
  result->samples[0].cache_versions = std::move(cache_versions);
  return result;
}

/// A pool of groups 0 … n−1, drawn for `min_versions`.
group_pool pool_of(std::int64_t places, const std::vector<std::int64_t> &min_versions) {
  group_pool pool(places);
  for (std::uint64_t id = 0; id < min_versions.size(); ++id) pool.draw(id, min_versions[id]);
  return pool;
}

void arrive(group_pool &pool, const numbers &arrivals) {
  for (const auto id : arrivals) pool.put(group(id, {pool.in_flight().at(id).min_version}));
}

numbers choose(const std::string &order, const group_pool &pool, const order_state &state) {
  return test::order_named(order).choose(pool, state).take;
}

}  // namespace

TEST_CASE("strict: the oldest finished ones, up to the first that is not") {
  auto pool = pool_of(3, {0, 0, 0, 0, 0});
  arrive(pool, {1, 0, 4, 3});
  CHECK(choose("strict", pool, {}) == numbers{0, 1});
  pool.drop(2);
  CHECK(choose("strict", pool, {}) == numbers{0, 1, 3});
}

TEST_CASE("windowed: finished groups overtake, but none further than the window reaches") {
  auto pool = pool_of(4, {0, 0, 0, 0, 0, 0});
  arrive(pool, {1, 2, 3, 5});
  const auto within = [&](std::int64_t window) {
    order_state state;
    state.window = window;
    return choose("windowed", pool, state);
  };
  CHECK(within(1).empty());
  CHECK(within(2) == numbers{1});
  CHECK(within(3) == numbers{1, 2});
  CHECK(within(4) == numbers{1, 2, 3});
  CHECK(within(5) == numbers{1, 2, 3});  // 4 has not finished, 5 is too far
  CHECK(within(6) == numbers{1, 2, 3, 5});
  SECTION("a window of one is the strict order") {
    arrive(pool, {0});
    CHECK(within(1) == numbers{0, 1, 2, 3});
  }
  SECTION("what overtook keeps its place in the window, what was dropped gives it up") {
    CHECK(pool.take({1, 2}).size() == 2);
    CHECK(within(3).empty());
    CHECK(within(4) == numbers{3});
    pool.drop(4);
    CHECK(within(4) == numbers{3});
    CHECK(within(5) == numbers{3, 5});
    CHECK(pool.overtaken_by(0) == 2);
    CHECK(pool.overtaken_by(3) == 0);
    CHECK(pool.position(5) == 4);
  }
  SECTION("the window moves on with the oldest") {
    arrive(pool, {0});
    CHECK(within(2) == numbers{0, 1, 2, 3});
    pool.drop(0);
    pool.drop(1);
    CHECK(within(4) == numbers{2, 3, 5});
  }
}

TEST_CASE("completion, wait: first come first served, while everything else can meet its deadline") {
  order_state state;
  state.late_after = 1;
  SECTION("nothing is due, so the order is that of finishing") {
    auto pool = pool_of(2, {0, 0, 1, 1});
    arrive(pool, {3, 2});
    CHECK(choose("completion", pool, state) == numbers{3, 2});
  }
  SECTION("two older ones fill the last batch before they are too old") {
    auto pool = pool_of(2, {0, 0, 1, 1});
    arrive(pool, {3, 2, 1});
    state.version = 1;
    CHECK(choose("completion", pool, state) == numbers{1});
    arrive(pool, {0});
    CHECK(choose("completion", pool, state) == numbers{1, 0});
  }
  SECTION("one place is left beside the one that is due") {
    auto pool = pool_of(2, {0, 1, 1});
    arrive(pool, {2, 1});
    state.version = 1;
    CHECK(choose("completion", pool, state) == numbers{2});
  }
  SECTION("a group that began with newer weights than it had to may wait longer") {
    auto pool = pool_of(1, {0, 0});
    pool.put(group(1, {1, 1}));
    state.version = 1;
    CHECK(choose("completion", pool, state).empty());  // 0 is due now
    pool.drop(0);
    CHECK(choose("completion", pool, state) == numbers{1});
  }
}

TEST_CASE("completion, drop and accept: what is too old when its turn comes") {
  auto pool = pool_of(2, {0, 1, 2, 2});
  arrive(pool, {2, 0, 1, 3});
  order_state state;
  state.version = 2;
  state.late_after = 1;
  state.when_late = late_rule::drop;
  const auto dropped = test::order_named("completion").choose(pool, state);
  CHECK(dropped.take == numbers{2, 1});
  CHECK(dropped.late == numbers{0});
  state.when_late = late_rule::accept;
  const auto accepted = test::order_named("completion").choose(pool, state);
  CHECK(accepted.take == numbers{2, 0});
  CHECK(accepted.late.empty());
}

TEST_CASE("deadlines can be met while those up to each have places") {
  const auto pool = pool_of(2, {});
  using ages = std::map<std::int64_t, std::int64_t>;
  CHECK(pool.feasible(5, ages{}, 0, 1));
  CHECK(pool.feasible(5, ages{{4, 2}}, 2, 1));
  CHECK_FALSE(pool.feasible(5, ages{{4, 2}}, 1, 1));
  CHECK(pool.feasible(5, ages{{4, 1}, {5, 3}}, 2, 1));
  CHECK_FALSE(pool.feasible(5, ages{{4, 1}, {5, 4}}, 2, 1));
  CHECK_FALSE(pool.feasible(5, ages{{3, 1}}, 2, 1));  // too old already
  const auto drawn = pool_of(2, {4, 4, 4});
  CHECK_FALSE(drawn.feasible(5, numbers_taken{}, 2, 1));
  CHECK(drawn.feasible(5, numbers_taken{1}, 2, 1));
  CHECK_FALSE(drawn.feasible(5, numbers_taken{1}, 1, 1));
}

TEST_CASE("a pool counts ages by the oldest token, or the cache that one attended to") {
  auto pool = pool_of(2, {0, 0, 1});
  CHECK(pool.ages() == std::map<std::int64_t, std::int64_t>{{0, 2}, {1, 1}});
  pool.put(group(0, {3, 4}, {2, 4}));
  CHECK(pool.ages() == std::map<std::int64_t, std::int64_t>{{0, 1}, {1, 1}, {2, 1}});
  pool.drop(1);
  CHECK(pool.take({0}).size() == 1);
  CHECK(pool.ages() == std::map<std::int64_t, std::int64_t>{{1, 1}});
  CHECK(oldest_version(*group(0, {}), 7) == 7);
}

TEST_CASE("a short batch goes only if everything that stays can still keep the promise") {
  order_state state;
  state.late_after = 1;
  const auto may = [&](const std::string &order, const group_pool &pool) {
    const auto &row = test::order_named(order);
    return may_go_short(row, pool, state, row.choose(pool, state));
  };
  SECTION("nothing is there") {
    CHECK_FALSE(may("strict", pool_of(2, {0})));
  }
  SECTION("strict: those that stay have a place each") {
    auto pool = pool_of(2, {0, 0, 0});
    arrive(pool, {0});
    CHECK(may("strict", pool));  // 1 and 2 fill the next batch
    pool.draw(3, 0);
    CHECK_FALSE(may("strict", pool));  // 3 would come a batch too late
  }
  SECTION("strict: in the order of draws, though another order would do") {
    // after drops, a younger group may be due before an older one
    auto pool = pool_of(1, {0, 1, 0});
    arrive(pool, {0});
    CHECK_FALSE(may("strict", pool));
    CHECK(may("completion", pool));
  }
  SECTION("windowed: those that may still overtake need places too") {
    auto pool = pool_of(2, {0, 0, 0});
    arrive(pool, {0});
    state.window = state.window_most = 2;
    CHECK_FALSE(may("windowed", pool));
    state.window_most = 1;
    state.window = 1;
    CHECK(may("windowed", pool));
  }
  SECTION("drop: what will be too late is dropped, and holds nobody up") {
    auto pool = pool_of(2, {0, 2});
    arrive(pool, {1});
    state.version = 2;
    state.when_late = late_rule::wait;
    CHECK_FALSE(may("completion", pool));
    state.when_late = late_rule::drop;
    CHECK(may("completion", pool));
  }
  SECTION("without a promise, or when nothing stays, it may") {
    auto pool = pool_of(2, {0, 0, 0});
    arrive(pool, {0});
    pool.draw(3, 0);
    state.promised = false;
    CHECK(may("strict", pool));
  }
  SECTION("an order that does not know goes short only when nothing stays") {
    auto row = test::order_named("strict");
    row.spares_places = nullptr;
    auto pool = pool_of(2, {0, 0});
    arrive(pool, {0});
    CHECK_FALSE(may_go_short(row, pool, state, row.choose(pool, state)));
    pool.drop(1);
    CHECK(may_go_short(row, pool, state, row.choose(pool, state)));
  }
}
