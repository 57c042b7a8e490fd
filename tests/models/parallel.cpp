#include "models/arithmetic/parallel.hpp"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <vector>

#include "tests/support/test.hpp"

using namespace slipstream;

namespace {

constexpr double much = 1e9;  // worth a second thread

/// LibTorch's threads of this thread, as they were at its end.
class two_threads {
 public:
  two_threads() { at::set_num_threads(2); }
  ~two_threads() { at::set_num_threads(before_); }

 private:
  int before_ = at::get_num_threads();
};

}  // namespace

TEST_CASE("parts of a team's job run at the same time") {
  const two_threads now;
  std::atomic<int> met{0}, together{0};
  arithmetic::as_team([&] {
    arithmetic::share(2, much, [&](std::size_t) {  // each waits for the other
      ++met;
      const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(60);
      while (met < 2 && std::chrono::steady_clock::now() < patience) std::this_thread::yield();
      together += met == 2;
    });
  });
  CHECK(together == 2);
}

TEST_CASE("a team does each part once, job after job") {
  const two_threads now;
  std::int64_t wrong = 0;
  arithmetic::as_team([&] {
    for (std::size_t job = 0; job < 2000; ++job) {
      const std::size_t parts = 1 + job % 7;
      std::vector<std::atomic<int>> done(parts);
      arithmetic::share(parts, much, [&](std::size_t i) { ++done[i]; });
      for (const auto &times : done) wrong += times != 1;
    }
  });
  CHECK(wrong == 0);
}

TEST_CASE("a part may share its own work, which stays on its thread") {
  const two_threads now;
  std::atomic<std::int64_t> sum{0};
  arithmetic::as_team([&] {
    arithmetic::share(4, much, [&](std::size_t i) {
      const auto own = std::this_thread::get_id();
      arithmetic::as_team([&] {
        arithmetic::share(10, much, [&](std::size_t j) {
          if (std::this_thread::get_id() == own) sum += static_cast<std::int64_t>(i * 10 + j);
        });
      });
    });
  });
  CHECK(sum == 40 * 39 / 2);
}

TEST_CASE("what a part or the team's leader throws arrives, and the next team works") {
  const two_threads now;
  const auto fail_in_part = [] {
    arithmetic::share(8, much, [](std::size_t i) {
      if (i == 5) throw std::runtime_error("part 5");
    });
  };
  CHECK_THROWS_WITH(arithmetic::as_team(fail_in_part), "part 5");
  CHECK_THROWS_WITH(arithmetic::as_team([] { throw std::runtime_error("leader"); }), "leader");
  CHECK_THROWS_WITH(fail_in_part(), "part 5");
  std::atomic<int> parts{0};
  arithmetic::as_team([&] { arithmetic::share(8, much, [&](std::size_t) { ++parts; }); });
  CHECK(parts == 8);
}

TEST_CASE("runs of neighbours cover all parts once, with and without a team") {
  const two_threads now;
  const auto covered = [](std::size_t parts, double cost) {
    std::vector<std::atomic<int>> done(parts);
    arithmetic::share_range(parts, cost, [&](std::size_t first, std::size_t last) {
      for (; first < last; ++first) ++done[first];
    });
    return std::all_of(done.begin(), done.end(), [](const auto &times) { return times == 1; });
  };
  for (const double cost : {1.0, 1e5, much})
    for (const std::size_t parts : {0, 1, 2, 3, 17, 100}) {
      CAPTURE(cost, parts);
      CHECK(covered(parts, cost));
      bool in_team = false;
      arithmetic::as_team([&] { in_team = covered(parts, cost); });
      CHECK(in_team);
    }
}
