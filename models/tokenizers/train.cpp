#include "models/tokenizers/train.hpp"

#include <algorithm>
#include <cstdint>
#include <queue>
#include <unordered_map>
#include <unordered_set>

#include "models/error.hpp"

namespace slipstream {
namespace {

constexpr std::size_t first_merge = 259;  // after the special tokens and the bytes
constexpr std::size_t fewest = 2;         // times that a pair must occur

using symbol = std::uint32_t;

struct counted_word {
  std::vector<symbol> symbols;
  std::int64_t count;
};

std::uint64_t symbol_pair(symbol left, symbol right) {
  return (static_cast<std::uint64_t>(left) << 32) | right;
}
symbol left_of(std::uint64_t pair) {
  return static_cast<symbol>(pair >> 32);
}
symbol right_of(std::uint64_t pair) {
  return static_cast<symbol>(pair);
}

// The counts of all pairs, and in which words each may be; merging changes only what it touches.
class pair_table {
 public:
  explicit pair_table(const word_table &words) : texts_(256) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      texts_[byte] = std::string(1, static_cast<char>(byte));
      ids_[texts_[byte]] = static_cast<symbol>(byte);
    }
    for (const auto &[text, count] : words) {
      counted_word word{{}, static_cast<std::int64_t>(count)};
      for (const char c : text) word.symbols.push_back(static_cast<unsigned char>(c));
      const auto index = static_cast<std::uint32_t>(words_.size());
      for (std::size_t i = 0; i + 1 < word.symbols.size(); ++i)
        change(symbol_pair(word.symbols[i], word.symbols[i + 1]), word.count, index);
      words_.push_back(std::move(word));
    }
    for (const auto &[pair, state] : pairs_) heap_.push({state.count, pair});
  }

  // The next merge, applied; nothing when no pair is frequent.
  bool merge_next(bpe_vocabulary &out) {
    std::uint64_t best = 0;
    if (!pop(best)) return false;
    const std::string text = texts_[left_of(best)] + texts_[right_of(best)];
    // A pair may come back when another merge makes its left or right part anew; it is listed once.
    if (listed_.insert(best).second) out.merges.emplace_back(texts_[left_of(best)], texts_[right_of(best)]);
    const auto [place, fresh] = ids_.emplace(text, static_cast<symbol>(texts_.size()));
    if (fresh) texts_.push_back(text);
    const std::vector<std::uint32_t> where = std::move(pairs_[best].where);
    pairs_.erase(best);
    for (const std::uint32_t index : where) merge_in(index, best, place->second);
    std::sort(touched_.begin(), touched_.end());
    touched_.erase(std::unique(touched_.begin(), touched_.end()), touched_.end());
    for (const std::uint64_t pair : touched_) heap_.push({pairs_[pair].count, pair});
    touched_.clear();
    return true;
  }

  std::size_t symbols() const { return texts_.size(); }

 private:
  struct pair_state {
    std::int64_t count = 0;
    std::vector<std::uint32_t> where;
  };
  struct candidate {
    std::int64_t count;
    std::uint64_t pair;
  };

  void change(std::uint64_t pair, std::int64_t by, std::uint32_t word) {
    pair_state &state = pairs_[pair];
    state.count += by;
    if (by > 0 && (state.where.empty() || state.where.back() != word)) state.where.push_back(word);
  }

  // The most frequent pair; a candidate whose count has changed since it was pushed is looked at again.
  bool pop(std::uint64_t &best) {
    for (; !heap_.empty(); heap_.pop()) {
      const candidate top = heap_.top();
      const auto found = pairs_.find(top.pair);
      if (found == pairs_.end() || found->second.count != top.count) continue;
      if (top.count < static_cast<std::int64_t>(fewest)) return false;
      best = top.pair;
      heap_.pop();
      return true;
    }
    return false;
  }

  void merge_in(std::uint32_t index, std::uint64_t pair, symbol result) {
    counted_word &word = words_[index];
    std::vector<symbol> &symbols = word.symbols;
    const auto move_count = [&](symbol left, symbol right, std::int64_t by) {
      const std::uint64_t changed = symbol_pair(left, right);
      if (changed == pair) return;  // it is gone from the table
      change(changed, by, index);
      touched_.push_back(changed);
    };
    std::size_t out = 0;
    for (std::size_t i = 0; i < symbols.size(); ++i) {
      const bool here = i + 1 < symbols.size() && symbol_pair(symbols[i], symbols[i + 1]) == pair;
      if (!here) {
        symbols[out++] = symbols[i];
        continue;
      }
      if (out > 0) move_count(symbols[out - 1], symbols[i], -word.count);
      if (out > 0) move_count(symbols[out - 1], result, word.count);
      if (i + 2 < symbols.size()) move_count(symbols[i + 1], symbols[i + 2], -word.count);
      if (i + 2 < symbols.size()) move_count(result, symbols[i + 2], word.count);
      symbols[out++] = result;
      ++i;
    }
    symbols.resize(out);
  }

  struct later {
    const std::vector<std::string> *texts;
    bool operator()(const candidate &a, const candidate &b) const {
      if (a.count != b.count) return a.count < b.count;
      const std::string &a_left = (*texts)[left_of(a.pair)], &b_left = (*texts)[left_of(b.pair)];
      if (a_left != b_left) return a_left > b_left;
      return (*texts)[right_of(a.pair)] > (*texts)[right_of(b.pair)];
    }
  };

  std::vector<std::string> texts_;
  std::unordered_map<std::string, symbol> ids_;
  std::vector<counted_word> words_;
  std::unordered_map<std::uint64_t, pair_state> pairs_;
  std::unordered_set<std::uint64_t> listed_;
  std::vector<std::uint64_t> touched_;
  std::priority_queue<candidate, std::vector<candidate>, later> heap_{later{&texts_}};
};

}  // namespace

bpe_vocabulary train_bpe(const word_table &words, std::size_t vocab_size,
                         const std::function<void(std::size_t)> &progress) {
  if (vocab_size < first_merge)
    throw input_error("a vocabulary has " + std::to_string(first_merge) +
                      " tokens at least (three special ones and every byte), not " +
                      std::to_string(vocab_size));
  bpe_vocabulary vocabulary;
  pair_table pairs(words);
  while (pairs.symbols() + 3 < vocab_size && pairs.merge_next(vocabulary))
    if (progress) progress(pairs.symbols() + 3);
  return vocabulary;
}

}  // namespace slipstream
