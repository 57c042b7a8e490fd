#pragma once

#include <cstdint>
#include <vector>

namespace slipstream {

/// One draw from a dataset of n rows.
struct drawn_row {
  std::uint64_t id = 0;    ///< counts draws: 0, 1, 2 …
  std::int64_t epoch = 0;  ///< id / n
  std::int64_t row = 0;    ///< index of the row
};

/// The order of epoch `epoch`: a permutation of 0 … rows − 1 by Fisher-Yates on Philox words of (seed,
/// epoch).
std::vector<std::int64_t> epoch_order(std::uint64_t seed, std::int64_t epoch, std::int64_t rows);

/// Goes through a dataset epoch by epoch, each in an order of its own. What a draw is depends on nothing but
/// seed, number of rows and id, so a cursor resumes from an id alone.
class cursor {
 public:
  /// `shuffled` false: the order of the file in every epoch. `rows` at least 1.
  cursor(std::uint64_t seed, std::int64_t rows, bool shuffled = true, std::uint64_t first_id = 0);

  drawn_row next() { return at(next_id_++); }
  /// The draw of any id, without moving on.
  drawn_row at(std::uint64_t id);
  std::uint64_t next_id() const { return next_id_; }

 private:
  std::uint64_t seed_;
  std::int64_t rows_;
  bool shuffled_;
  std::uint64_t next_id_;
  std::int64_t order_epoch_ = -1;
  std::vector<std::int64_t> order_;
};

}  // namespace slipstream
