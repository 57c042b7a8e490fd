#pragma once

#include <cstddef>
#include <functional>

#include "models/tokenizers/bpe_document.hpp"
#include "models/tokenizers/word_counts.hpp"

namespace slipstream {

/// Byte-pair encoding (Sennrich et al. 2016): merges the most frequent neighbours, of equally frequent ones
/// the first in the order of their bytes, until there are `vocab_size` tokens (<pad>, <bos>, <eos> and the
/// 256 bytes among them) or no pair occurs twice. Calls `progress` with the tokens there are. Throws
/// input_error when vocab_size is below 259.
bpe_vocabulary train_bpe(const word_table &words, std::size_t vocab_size,
                         const std::function<void(std::size_t)> &progress = {});

}  // namespace slipstream
