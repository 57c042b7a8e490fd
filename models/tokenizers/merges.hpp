#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace slipstream {

/// The merge table of byte-pair encoding: which two neighbouring tokens become which one, in which order.
class merge_table {
 public:
  struct merge {
    std::uint32_t left, right, result;
  };

  /// `merges` in the order of their rank; of a pair given twice the later rank holds.
  explicit merge_table(const std::vector<merge> &merges);

  /// Merges a word's symbols in place: always the pair of lowest rank, of equal ones the leftmost. O(n log
  /// n).
  void apply(std::vector<std::uint32_t> &symbols) const;

 private:
  static constexpr std::uint32_t none = 0xffffffff;
  struct entry {
    std::uint64_t pair = ~std::uint64_t{0};
    std::uint32_t rank = none, result = none;
  };

  std::size_t place(std::uint64_t pair) const;
  const entry &find(std::uint32_t left, std::uint32_t right) const;
  void apply_short(std::vector<std::uint32_t> &symbols) const;
  void apply_long(std::vector<std::uint32_t> &symbols) const;

  std::vector<entry> table_;  // open addressing; its size is a power of two
  unsigned shift_ = 0;
};

}  // namespace slipstream
