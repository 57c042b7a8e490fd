#include "models/tokenizers/utf8.hpp"

#include "models/error.hpp"

namespace slipstream {
namespace {

struct prefix {
  std::size_t wanted = 0;  // bytes of the character that the first one announces; 0: it cannot start one
  std::size_t valid = 0;   // bytes that are as they should be
};

prefix look(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return {1, 1};
  if (first < 0xc2 || first > 0xf4) return {0, 1};
  const std::size_t wanted = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  // The second byte is narrower after some: overlong forms, surrogates, beyond U+10FFFF.
  unsigned char low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  unsigned char high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  std::size_t valid = 1;
  while (valid < wanted && valid < text.size() && byte(valid) >= low && byte(valid) <= high) {
    ++valid;
    low = 0x80;
    high = 0xbf;
  }
  return {wanted, valid};
}

}  // namespace

std::size_t character_length(std::string_view text) {
  if (text.empty()) return 0;
  const prefix found = look(text);
  return found.wanted == found.valid ? found.valid : 0;
}

void require_utf8(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t length = character_length(text.substr(at));
    if (length == 0)
      throw input_error("the text is not valid UTF-8 at byte " + std::to_string(at) + "; re-encode it");
    at += length;
  }
}

std::size_t append_lossy(std::string &text, std::string_view bytes, bool last) {
  std::size_t at = 0;
  while (at < bytes.size()) {
    const prefix found = look(bytes.substr(at));
    if (found.wanted == found.valid)
      text += bytes.substr(at, found.valid);
    else if (!last && found.wanted != 0 && at + found.valid == bytes.size())
      break;
    else
      text += "\xef\xbf\xbd";
    at += found.valid;
  }
  return at;
}

}  // namespace slipstream
