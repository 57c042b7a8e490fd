#include "models/tokenizers/byte_alphabet.hpp"

namespace slipstream {
namespace {

constexpr unsigned last_character = 0x143;  // 0x100 + 67

bool visible(unsigned byte) {
  return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xff && byte != 0xad);
}

std::string utf8(unsigned character) {
  if (character < 0x80) return {static_cast<char>(character)};
  return {static_cast<char>(0xc0 | (character >> 6)), static_cast<char>(0x80 | (character & 0x3f))};
}

std::array<unsigned, 256> characters() {
  std::array<unsigned, 256> table{};
  unsigned next = 0x100;
  for (unsigned byte = 0; byte < 256; ++byte) table[byte] = visible(byte) ? byte : next++;
  return table;
}

std::array<int, last_character + 1> bytes() {
  std::array<int, last_character + 1> table{};
  table.fill(-1);
  const auto forward = characters();
  for (unsigned byte = 0; byte < 256; ++byte) table[forward[byte]] = static_cast<int>(byte);
  return table;
}

}  // namespace

const std::array<std::string, 256> &byte_characters() {
  static const std::array<std::string, 256> table = [] {
    std::array<std::string, 256> made;
    const auto forward = characters();
    for (std::size_t byte = 0; byte < 256; ++byte) made[byte] = utf8(forward[byte]);
    return made;
  }();
  return table;
}

std::optional<std::string> token_bytes(std::string_view token) {
  static const auto table = bytes();
  std::string result;
  for (std::size_t at = 0; at < token.size(); ++at) {
    unsigned character = static_cast<unsigned char>(token[at]);
    if (character >= 0xe0) return {};  // three bytes and more: beyond the table
    if (character >= 0x80) {
      if (++at == token.size()) return {};
      character = ((character & 0x1f) << 6) | (static_cast<unsigned char>(token[at]) & 0x3f);
    }
    if (character > last_character || table[character] < 0) return {};
    result += static_cast<char>(table[character]);
  }
  return result;
}

std::string printable(std::string_view bytes) {
  std::string result;
  for (const char byte : bytes) result += byte_characters()[static_cast<unsigned char>(byte)];
  return result;
}

}  // namespace slipstream
