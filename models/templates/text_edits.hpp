#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "models/templates/arguments.hpp"

namespace slipstream::jinja {

enum class side : std::uint8_t { left, right, both };

/// Python's split with a separator or at white space, at most `most` times when it is not negative.
std::vector<std::string_view> split_by(std::string_view text, std::string_view mark, std::int64_t most,
                                       bool from_right);
std::vector<std::string_view> split_by_spaces(std::string_view text, std::int64_t most, bool from_right);

/// Python's replace, at most `most` times when it is not negative.
std::string replaced(std::string_view text, std::string_view old, std::string_view with, std::int64_t most,
                     budget &spending);

/// The text with `fill` beside it up to a width in characters.
std::string padded(std::string_view text, std::int64_t width, std::string_view fill, side where,
                   budget &spending);

/// Python's str.format with plain fields: {}, {0}, {name}.
std::string filled_fields(std::string_view form, const arguments &given, budget &spending);

value list_of(const std::vector<std::string_view> &parts, budget &spending);

}  // namespace slipstream::jinja
