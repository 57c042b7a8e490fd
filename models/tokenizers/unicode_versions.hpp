#pragma once

#include <cstdint>

namespace slipstream {

/// Hugging Face's library knows Unicode 16 in patterns (Oniguruma 6.9.10) and Unicode 9 in normal forms. Ours
/// know other versions; these tables, found by trying every character, make up for it.

/// The character to match a pattern with instead of this one: of the same length in UTF-8 and of the general
/// category that Unicode 16 gives it; itself for almost all.
std::uint32_t pattern_stand_in(std::uint32_t character);

/// Whether normalisation leaves a character as it is and as a border, since it came after Unicode 9.
bool unknown_to_normaliser(std::uint32_t character);

}  // namespace slipstream
