#include "runtime/data/cursor.hpp"

#include <numeric>
#include <utility>

#include "models/engine/random.hpp"
#include "models/error.hpp"

namespace slipstream {

namespace {

// Keeps these words apart from those of other uses of the run's seed.
constexpr std::uint64_t purpose = 0x6461'7461'6F72'6465;  // "dataorde"

}  // namespace

std::vector<std::int64_t> epoch_order(std::uint64_t seed, std::int64_t epoch, std::int64_t rows) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(rows));
  std::iota(order.begin(), order.end(), 0);
  const auto counter = static_cast<std::uint64_t>(epoch);
  for (std::uint64_t i = order.size(); i > 1; --i) {
    const auto block = philox(seed ^ purpose, counter, i);
    const auto word = (static_cast<std::uint64_t>(block.words[0]) << 32) | block.words[1];
    std::swap(order[i - 1], order[word % i]);  // the bias of a 64-bit remainder is below rows / 2^64
  }
  return order;
}

cursor::cursor(std::uint64_t seed, std::int64_t rows, bool shuffled, std::uint64_t first_id)
    : seed_(seed), rows_(rows), shuffled_(shuffled), next_id_(first_id) {
  if (rows < 1) throw input_error("a dataset without rows cannot be drawn from; give it at least one row");
}

drawn_row cursor::at(std::uint64_t id) {
  const auto rows = static_cast<std::uint64_t>(rows_);
  drawn_row drawn{id, static_cast<std::int64_t>(id / rows), static_cast<std::int64_t>(id % rows)};
  if (!shuffled_) return drawn;
  if (drawn.epoch != order_epoch_) {
    order_ = epoch_order(seed_, drawn.epoch, rows_);
    order_epoch_ = drawn.epoch;
  }
  drawn.row = order_[static_cast<std::size_t>(drawn.row)];
  return drawn;
}

}  // namespace slipstream
