#include "models/tokenizers/merges.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <functional>
#include <queue>

namespace slipstream {
namespace {

constexpr std::size_t short_word = 48;  // up to here looking at every pair is faster than a heap

std::uint64_t pair_of(std::uint32_t left, std::uint32_t right) {
  return (static_cast<std::uint64_t>(left) << 32) | right;
}

}  // namespace

merge_table::merge_table(const std::vector<merge> &merges) {
  const std::size_t size = std::bit_ceil(std::max<std::size_t>(merges.size() * 2, 16));
  table_.resize(size);
  shift_ = 64 - static_cast<unsigned>(std::countr_zero(size));
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    const merge &each = merges[rank];
    const std::uint64_t pair = pair_of(each.left, each.right);
    table_[place(pair)] = {pair, static_cast<std::uint32_t>(rank), each.result};
  }
}

// Where the pair's entry is, or the empty one where it would be.
std::size_t merge_table::place(std::uint64_t pair) const {
  auto at = static_cast<std::size_t>((pair * 0x9e3779b97f4a7c15u) >> shift_);
  while (table_[at].pair != pair && table_[at].rank != none) at = (at + 1) & (table_.size() - 1);
  return at;
}

const merge_table::entry &merge_table::find(std::uint32_t left, std::uint32_t right) const {
  return table_[place(pair_of(left, right))];
}

void merge_table::apply(std::vector<std::uint32_t> &symbols) const {
  if (symbols.size() < 2) return;
  symbols.size() <= short_word ? apply_short(symbols) : apply_long(symbols);
}

void merge_table::apply_short(std::vector<std::uint32_t> &symbols) const {
  std::array<const entry *, short_word> pairs;  // pairs[i]: symbols i and i + 1
  std::size_t last = symbols.size() - 1;        // pairs there are
  for (std::size_t i = 0; i < last; ++i) pairs[i] = &find(symbols[i], symbols[i + 1]);
  while (last > 0) {
    std::size_t best = 0;
    for (std::size_t i = 1; i < last; ++i)
      if (pairs[i]->rank < pairs[best]->rank) best = i;
    if (pairs[best]->rank == none) break;
    symbols[best] = pairs[best]->result;
    std::copy(symbols.begin() + static_cast<std::ptrdiff_t>(best) + 2,
              symbols.begin() + static_cast<std::ptrdiff_t>(last) + 1,
              symbols.begin() + static_cast<std::ptrdiff_t>(best) + 1);
    std::copy(pairs.begin() + best + 1, pairs.begin() + last, pairs.begin() + best);
    --last;
    if (best > 0) pairs[best - 1] = &find(symbols[best - 1], symbols[best]);
    if (best < last) pairs[best] = &find(symbols[best], symbols[best + 1]);
  }
  symbols.resize(last + 1);
}

// A linked list of symbols and a heap of their pairs; an entry whose pair has changed since is stale.
void merge_table::apply_long(std::vector<std::uint32_t> &symbols) const {
  const auto count = static_cast<std::uint32_t>(symbols.size());
  std::vector<std::uint32_t> next(count), before(count), rank(count, none);
  using item = std::uint64_t;  // rank, position
  std::vector<item> items;
  items.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    next[i] = i + 1;
    before[i] = i - 1;  // none for the first
    if (i + 1 < count) rank[i] = find(symbols[i], symbols[i + 1]).rank;
    if (rank[i] != none) items.push_back(pair_of(rank[i], i));
  }
  std::priority_queue<item, std::vector<item>, std::greater<>> heap(std::greater<>(), std::move(items));
  const auto look = [&](std::uint32_t i) {
    rank[i] = next[i] < count ? find(symbols[i], symbols[next[i]]).rank : none;
    if (rank[i] != none) heap.push(pair_of(rank[i], i));
  };
  while (!heap.empty()) {
    const auto at = static_cast<std::uint32_t>(heap.top());
    const bool fresh = rank[at] == static_cast<std::uint32_t>(heap.top() >> 32);
    heap.pop();
    if (!fresh) continue;
    const std::uint32_t gone = next[at];
    symbols[at] = find(symbols[at], symbols[gone]).result;
    rank[gone] = none;
    next[at] = next[gone];
    if (next[at] < count) before[next[at]] = at;
    look(at);
    if (before[at] != none) look(before[at]);
  }
  std::size_t out = 0;
  for (std::uint32_t i = 0; i < count; i = next[i]) symbols[out++] = symbols[i];
  symbols.resize(out);
}

}  // namespace slipstream
