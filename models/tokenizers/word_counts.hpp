#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>

#include "models/tokenizers/added_tokens.hpp"
#include "models/tokenizers/bpe_document.hpp"
#include "models/tokenizers/pre_tokenizer.hpp"

namespace slipstream {

/// Words and how often each occurs.
using word_table = std::unordered_map<std::string, std::size_t>;

/// Counts the words of texts as a tokenizer of a style cuts them; special tokens in a text are no words.
class word_counts {
 public:
  explicit word_counts(const bpe_style &style);

  /// A long text may come in parts, see `part_of_text`. Throws input_error when it is not valid UTF-8.
  void add(std::string_view text);
  const word_table &words() const { return words_; }

 private:
  pre_tokenizer cut_;
  token_finder special_;
  bool nfc_;
  word_table words_;
};

/// How much of a text, about `bytes`, may be counted apart from the rest: up to a line's end without other
/// whitespace beside it.
std::size_t part_of_text(std::string_view text, std::size_t bytes);

}  // namespace slipstream
