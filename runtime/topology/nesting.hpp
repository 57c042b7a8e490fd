#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace slipstream {

/// Where TOML text first nests deeper than `deepest`, by brackets and dotted keys together: line and column
/// from 1. The parser would build such a tree and overflow the stack when it destroys it.
struct nesting_place {
  int line = 1, column = 1;
};
std::optional<nesting_place> too_deep(std::string_view text, std::size_t deepest);

}  // namespace slipstream
