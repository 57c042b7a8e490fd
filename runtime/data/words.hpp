#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "models/engine/random.hpp"

namespace slipstream {

/// Random numbers of made-up data: a stream of words of its own for every use of the seed.
class words {
 public:
  words(std::uint64_t seed, std::uint64_t stream) : key_(seed), stream_(stream) {}

  /// A number in [0, bound); all are equally likely.
  std::uint32_t below(std::uint32_t bound) {
    const auto word = philox(key_, stream_, count_++).words[0];
    return static_cast<std::uint32_t>((static_cast<std::uint64_t>(word) * bound) >> 32);
  }

  template <class T>
  void shuffle(std::vector<T> &items) {
    for (std::size_t left = items.size(); left > 1; --left)
      std::swap(items[left - 1], items[below(static_cast<std::uint32_t>(left))]);
  }

 private:
  std::uint64_t key_, stream_, count_ = 0;
};

}  // namespace slipstream
