#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace slipstream::jinja {

/// Texts are UTF-8 and counted in code points, as Python counts them.

char32_t next_character(std::string_view text, std::size_t &at);  ///< and moves behind it
void append_character(std::string &text, char32_t character);
std::size_t characters(std::string_view text);
/// The byte where a character starts; the text's end when there are fewer.
std::size_t offset_of(std::string_view text, std::size_t character);
std::vector<std::string_view> split_characters(std::string_view text);
std::string_view character_before(std::string_view text);  ///< the last one

/// Where a part first or last stands, in bytes; npos when it does not. In time that is linear but for
/// find_last, which is for short parts or texts.
std::size_t find_first(std::string_view text, std::string_view part, std::size_t from = 0);
std::size_t find_last(std::string_view text, std::string_view part);

bool is_space(char32_t character);      ///< Python's str.isspace
bool is_printable(char32_t character);  ///< Python's str.isprintable
bool is_letter(char32_t character);
bool is_decimal(char32_t character);
bool is_upper(char32_t character);
bool is_lower(char32_t character);
bool is_title(char32_t character);
inline bool is_cased(char32_t c) {
  return is_upper(c) || is_lower(c) || is_title(c);
}

std::string upper(std::string_view text);
std::string lower(std::string_view text);
std::string capitalized(std::string_view text);
std::string title(
    std::string_view text);  ///< the method, which starts a word behind any character without case
std::string swapped_case(std::string_view text);

/// Without whitespace, or without the characters of `set`, at the chosen ends.
std::string_view strip(std::string_view text, bool left = true, bool right = true);
std::string_view strip_set(std::string_view text, std::string_view set, bool left, bool right);

/// The lines of a text as Python's splitlines gives them.
std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends);

}  // namespace slipstream::jinja
