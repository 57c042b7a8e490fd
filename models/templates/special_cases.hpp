#pragma once

#include <array>

namespace slipstream::jinja {

/// A character whose upper case is several.
struct special_case {
  char32_t character;
  std::array<char32_t, 3> upper;  ///< zeros behind
};

/// The row of a character; null for almost all.
const special_case *find_special(char32_t character);

}  // namespace slipstream::jinja
