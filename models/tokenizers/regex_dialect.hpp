#pragma once

#include <string_view>

namespace slipstream {

/// What of a regular expression PCRE2 (with PCRE2_UTF and PCRE2_UCP) and Oniguruma (Ruby's syntax) may
/// understand differently, in words; empty when there is nothing. Known to agree are characters, classes,
/// \s \S \d \D \p{General_Category}, groups, lookaround, alternatives, greedy, lazy and possessive * + ?, and
/// {m,n}.
std::string_view dialect_difference(std::string_view pattern);

}  // namespace slipstream
