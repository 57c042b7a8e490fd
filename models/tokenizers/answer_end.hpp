#pragma once

#include <cstdint>
#include <string>

#include "models/tokenizers/chat.hpp"
#include "models/tokenizers/tokenizer.hpp"

namespace slipstream {

/// What a chat template puts behind the last answer of a dialogue, which is what training ends answers with.
struct answer_end {
  std::int64_t id = -1;   ///< the token that generations can stop at; -1: there is none
  std::string problem{};  ///< why there is none, to follow the template's name
};

/// Finds it by writing a small dialogue. Never throws for a template that does not want to write one.
answer_end find_answer_end(const chat_template &style, const tokenizer &text);

}  // namespace slipstream
