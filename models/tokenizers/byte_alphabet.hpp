#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace slipstream {

/// Byte-level vocabularies write each byte as one printable character (GPT-2's table): visible Latin-1
/// characters stand for themselves, the other 68 bytes for U+0100 and on.
const std::array<std::string, 256> &byte_characters();

/// The bytes that a vocabulary's token stands for; nothing when a character of it stands for none.
std::optional<std::string> token_bytes(std::string_view token);

/// The reverse: bytes as a vocabulary writes them.
std::string printable(std::string_view bytes);

}  // namespace slipstream
