#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace slipstream {

/// Number of single-character insertions, deletions, replacements and swaps of neighbours between two words.
std::size_t edit_distance(std::string_view a, std::string_view b);

/// ` Did you mean "X"?` for the nearest of `known` when one is near enough, else the empty string.
std::string did_you_mean(std::string_view word, const std::vector<std::string> &known);

/// "a, b and c" ("a, b or c" with `last` = "or"); "none" for an empty list.
std::string listed(const std::vector<std::string> &words, std::string_view last = "and");

bool contains(const std::vector<std::string> &words, std::string_view word);

}  // namespace slipstream
