#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/tokenizers/files.hpp"

namespace slipstream {

/// A byte-level BPE vocabulary that is made here: <pad>, <bos>, <eos>, the 256 bytes in order, then one token
/// a merge.
struct bpe_vocabulary {
  std::vector<std::pair<std::string, std::string>> merges;  ///< bytes of the left and the right part
};

/// How words are cut: gpt2, llama3 (groups of three digits, words that are tokens are not merged), qwen
/// (single digits, NFC). Throws input_error naming these.
struct bpe_style {
  std::string name;
  std::string pattern;  ///< of a Split in front of ByteLevel; empty: ByteLevel's own
  bool ignore_merges = false;
  bool nfc = false;
};
bpe_style find_bpe_style(std::string_view name);

/// What tokenizer.json holds under "pre_tokenizer", as JSON.
std::string pre_tokenizer_json(const bpe_style &style);

/// tokenizer.json and tokenizer_config.json.
tokenizer_files write_bpe_files(const bpe_vocabulary &vocabulary, const bpe_style &style);

}  // namespace slipstream
