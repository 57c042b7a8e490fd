#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

namespace slipstream {

/// Remembers where in one call's output the ids of a word stand, so that a word seen again is copied.
class word_cache {
 public:
  /// For a text of `bytes`; a short one is not worth a table.
  explicit word_cache(std::size_t bytes) {
    if (bytes < smallest) return;
    std::size_t size = 1024;
    while (size < most && size * 32 < bytes) size *= 2;
    table_.resize(size);
  }

  struct entry {
    std::string_view word;
    std::size_t from = 0, count = 0;
  };

  /// The word's entry, or the one to put it in; null when there is no table or the word is long.
  entry *find(std::string_view word) {
    if (table_.empty() || word.size() > longest) return nullptr;
    return &table_[std::hash<std::string_view>()(word) & (table_.size() - 1)];
  }

 private:
  static constexpr std::size_t smallest = 512, most = 1 << 15, longest = 64;
  std::vector<entry> table_;
};

}  // namespace slipstream
