#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace slipstream {

/// Bytes of the UTF-8 character that starts at `text` (RFC 3629); 0 when there is no whole, valid one.
std::size_t character_length(std::string_view text);

/// Throws input_error naming the first byte where the text is not valid UTF-8.
void require_utf8(std::string_view text);

/// Appends bytes to `text` as valid UTF-8: each longest start of a character that cannot go on becomes U+FFFD
/// (Unicode 3.9, as WHATWG and Rust do it). Returns how many bytes were used: all when `last`, else what
/// might still become a character stays (at most three bytes).
std::size_t append_lossy(std::string &text, std::string_view bytes, bool last);

}  // namespace slipstream
