#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "models/tokenizers/tokenizer.hpp"

namespace slipstream {

/// Decodes ids one by one, never half a character: what push and finish return, put together, is decode() of
/// all ids.
class stream_decoder {
 public:
  explicit stream_decoder(std::shared_ptr<const tokenizer> text, bool keep_special = false);

  /// The text that this id completes; empty while a character is not whole.
  std::string push(std::int64_t id);
  /// The rest: U+FFFD for a character that never became whole. Another stream may follow.
  std::string finish();

 private:
  std::shared_ptr<const tokenizer> text_;
  std::string pending_;  // the start of a character, at most three bytes
  bool keep_special_;
};

}  // namespace slipstream
