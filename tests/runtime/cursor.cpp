#include "runtime/data/cursor.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "models/error.hpp"
#include "tests/support/test.hpp"

using namespace slipstream;

TEST_CASE("every epoch is a permutation of its own, decided by the seed") {
  for (const std::int64_t rows : {1, 2, 3, 257}) {
    auto order = epoch_order(7, 3, rows);
    CHECK(order == epoch_order(7, 3, rows));
    std::sort(order.begin(), order.end());
    for (std::int64_t i = 0; i < rows; ++i) CHECK(order[static_cast<std::size_t>(i)] == i);
  }
  CHECK(epoch_order(7, 3, 257) != epoch_order(7, 4, 257));
  CHECK(epoch_order(7, 3, 257) != epoch_order(8, 3, 257));
}

TEST_CASE("all orders of three rows occur about equally often") {
  std::map<std::vector<std::int64_t>, int> counts;
  for (std::int64_t epoch = 0; epoch < 6000; ++epoch) ++counts[epoch_order(1, epoch, 3)];
  REQUIRE(counts.size() == 6);
  for (const auto &[order, count] : counts) CHECK(std::abs(count - 1000) < 150);  // five deviations of 29
}

TEST_CASE("a cursor counts draws, rows and epochs, and resumes from an id") {
  cursor whole(5, 10);
  std::vector<drawn_row> draws;
  for (int i = 0; i < 35; ++i) draws.push_back(whole.next());
  std::set<std::int64_t> first;
  for (std::size_t i = 0; i < draws.size(); ++i) {
    CHECK(draws[i].id == i);
    CHECK(draws[i].epoch == static_cast<std::int64_t>(i / 10));
    if (i < 10) first.insert(draws[i].row);
  }
  CHECK(first.size() == 10);
  cursor resumed(5, 10, true, 17);
  CHECK(resumed.next_id() == 17);
  for (std::size_t i = 17; i < draws.size(); ++i) {
    const auto drawn = resumed.next();
    CHECK(drawn.id == draws[i].id);
    CHECK(drawn.row == draws[i].row);
  }
}

TEST_CASE("an unshuffled cursor keeps the order of the file, and no rows are refused") {
  cursor plain(5, 3, false);
  for (const std::int64_t row : {0, 1, 2, 0, 1}) CHECK(plain.next().row == row);
  CHECK_THROWS_AS(cursor(5, 0), input_error);
}
