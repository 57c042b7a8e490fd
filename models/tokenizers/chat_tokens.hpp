#pragma once

#include <cstdint>
#include <vector>

#include "models/tokenizers/chat.hpp"
#include "models/tokenizers/tokenizer.hpp"

namespace slipstream {

/// The ids of a dialogue, each with 1 where it is trained.
struct chat_tokens {
  std::vector<std::int64_t> ids;
  std::vector<std::uint8_t> trained;
};

/// The ids of the pieces' joined text, as transformers has them. A token that holds any part of a trained
/// piece is trained, also one that begins before the piece or ends behind it (transformers' rule for
/// assistant masks). Throws input_error where the tokenizer writes the text up to a border otherwise because
/// of what follows, so that no token tells where the border is.
chat_tokens encode_joined(const std::vector<chat_piece> &pieces, const tokenizer &text);

}  // namespace slipstream
