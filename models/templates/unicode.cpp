#include "models/templates/unicode.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "models/templates/budget.hpp"
#include "models/templates/special_cases.hpp"
#include "models/tokenizers/utf8.hpp"

namespace slipstream::jinja {
namespace {

using mapping = utf8proc_int32_t (*)(utf8proc_int32_t);

bool ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

void append_upper(std::string &text, char32_t c) {
  if (const special_case *special = find_special(c))
    for (const char32_t each : special->upper) each ? append_character(text, each) : void();
  else
    append_character(text, static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(c))));
}

// What Python starts a word with: U+00DF becomes Ss.
void append_title(std::string &text, char32_t c) {
  const special_case *special = find_special(c);
  if (!special)
    return append_character(text, static_cast<char32_t>(utf8proc_totitle(static_cast<utf8proc_int32_t>(c))));
  append_character(text, special->upper[0]);
  for (std::size_t i = 1; i < special->upper.size(); ++i)
    if (special->upper[i])
      append_character(
          text, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(special->upper[i]))));
}

// A capital sigma at a word's end has a small form of its own.
bool final_sigma(std::string_view before, std::string_view after) {
  const auto ignored = [](char32_t c) {
    const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
    return c == '\'' || c == '.' || c == ':' || c == '^' || c == '`' || c == 0xb7 || c == 0x2019 ||
           category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_ME ||
           category == UTF8PROC_CATEGORY_CF || category == UTF8PROC_CATEGORY_LM ||
           category == UTF8PROC_CATEGORY_SK;
  };
  bool cased = false;
  while (!before.empty()) {
    const std::string_view last = character_before(before);
    std::size_t at = 0;
    const char32_t c = next_character(last, at);
    before.remove_suffix(last.size());
    if (ignored(c)) continue;
    cased = is_cased(c);
    break;
  }
  for (std::size_t at = 0; cased && at < after.size();) {
    const char32_t c = next_character(after, at);
    if (!ignored(c)) return !is_cased(c);
  }
  return cased;
}

void append_lower(std::string &text, char32_t c, std::string_view whole, std::size_t from, std::size_t to) {
  if (c == 0x130) {
    text += "i\u0307";
  } else if (c == 0x3a3) {
    append_character(text, final_sigma(whole.substr(0, from), whole.substr(to)) ? 0x3c2 : 0x3c3);
  } else {
    append_character(text, static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c))));
  }
}

bool has_category(char32_t c, std::initializer_list<utf8proc_category_t> which) {
  const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
  return std::find(which.begin(), which.end(), category) != which.end();
}

}  // namespace

char32_t next_character(std::string_view text, std::size_t &at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const std::size_t length =
      byte(at) < 0x80 ? 1 : std::max<std::size_t>(1, character_length(text.substr(at)));
  char32_t c = length == 1 ? byte(at) : byte(at) & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) c = c << 6U | (byte(at + i) & 0x3fU);
  at += length;
  return c;
}

void append_character(std::string &text, char32_t c) {
  const auto add = [&](char32_t bits) { text += static_cast<char>(bits); };
  if (c < 0x80) return add(c);
  if (c < 0x800) return add(0xc0 | c >> 6U), add(0x80 | (c & 0x3f));
  if (c < 0x10000)
    add(0xe0 | c >> 12U);
  else
    add(0xf0 | c >> 18U), add(0x80 | (c >> 12U & 0x3f));
  add(0x80 | (c >> 6U & 0x3f));
  add(0x80 | (c & 0x3f));
}

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::size_t offset_of(std::string_view text, std::size_t character) {
  std::size_t at = 0;
  while (at < text.size() && character > 0) {
    ++at;
    while (at < text.size() && (text[at] & 0xc0) == 0x80) ++at;
    --character;
  }
  return at;
}

std::vector<std::string_view> split_characters(std::string_view text) {
  std::vector<std::string_view> all;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t from = at;
    next_character(text, at);
    all.push_back(text.substr(from, at - from));
  }
  return all;
}

std::string_view character_before(std::string_view text) {
  std::size_t at = text.size();
  while (at > 0 && (text[--at] & 0xc0) == 0x80) continue;
  return text.substr(at);
}

std::size_t find_first(std::string_view text, std::string_view part, std::size_t from) {
  if (from > text.size()) return std::string_view::npos;
  const void *found =
      memmem(text.data() + from, text.size() - from, part.data(), part.size());  // text.find is quadratic
  return found ? static_cast<std::size_t>(static_cast<const char *>(found) - text.data())
               : std::string_view::npos;
}

std::size_t find_last(std::string_view text, std::string_view part) {
  constexpr std::size_t most = 100'000'000;  // comparisons
  if (!part.empty() && text.size() > most / part.size())
    throw complaint("the last of such a long part in such a long text is not supported");
  return text.rfind(part);
}

bool is_space(char32_t c) {
  return (c >= 9 && c <= 13) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
         c == 0x3000;
}

bool is_printable(char32_t c) {
  if (c < 0x7f) return c >= 0x20;
  return !has_category(
      c, {UTF8PROC_CATEGORY_CC, UTF8PROC_CATEGORY_CF, UTF8PROC_CATEGORY_CS, UTF8PROC_CATEGORY_CO,
          UTF8PROC_CATEGORY_CN, UTF8PROC_CATEGORY_ZL, UTF8PROC_CATEGORY_ZP, UTF8PROC_CATEGORY_ZS});
}

bool is_letter(char32_t c) {
  return has_category(c, {UTF8PROC_CATEGORY_LU, UTF8PROC_CATEGORY_LL, UTF8PROC_CATEGORY_LT,
                          UTF8PROC_CATEGORY_LM, UTF8PROC_CATEGORY_LO});
}

bool is_decimal(char32_t c) {
  return has_category(c, {UTF8PROC_CATEGORY_ND});
}

bool is_upper(char32_t c) {
  return has_category(c, {UTF8PROC_CATEGORY_LU}) || (c >= 0x2160 && c <= 0x216f) ||
         (c >= 0x24b6 && c <= 0x24cf);
}

bool is_lower(char32_t c) {
  return has_category(c, {UTF8PROC_CATEGORY_LL}) || c == 0xaa || c == 0xba || (c >= 0x2b0 && c <= 0x2b8) ||
         (c >= 0x2170 && c <= 0x217f) || (c >= 0x24d0 && c <= 0x24e9);
}

bool is_title(char32_t c) {
  return has_category(c, {UTF8PROC_CATEGORY_LT});
}

std::string upper(std::string_view text) {
  std::string made;
  made.reserve(text.size());
  if (ascii(text)) {
    for (const char c : text) made += c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
    return made;
  }
  for (std::size_t at = 0; at < text.size();) append_upper(made, next_character(text, at));
  return made;
}

std::string lower(std::string_view text) {
  std::string made;
  made.reserve(text.size());
  if (ascii(text)) {
    for (const char c : text) made += c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    return made;
  }
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t from = at;
    const char32_t c = next_character(text, at);
    append_lower(made, c, text, from, at);
  }
  return made;
}

std::string capitalized(std::string_view text) {
  std::string made;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t from = at;
    const char32_t c = next_character(text, at);
    from == 0 ? append_title(made, c) : append_lower(made, c, text, from, at);
  }
  return made;
}

std::string title(std::string_view text) {
  std::string made;
  bool inside = false;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t from = at;
    const char32_t c = next_character(text, at);
    inside ? append_lower(made, c, text, from, at) : append_title(made, c);
    inside = is_cased(c);
  }
  return made;
}

std::string swapped_case(std::string_view text) {
  std::string made;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t from = at;
    const char32_t c = next_character(text, at);
    if (is_upper(c))
      append_lower(made, c, text, from, at);
    else if (is_lower(c))
      append_upper(made, c);
    else
      append_character(made, c);
  }
  return made;
}

std::string_view strip(std::string_view text, bool left, bool right) {
  while (left && !text.empty()) {
    std::size_t at = 0;
    if (!is_space(next_character(text, at))) break;
    text.remove_prefix(at);
  }
  while (right && !text.empty()) {
    const std::string_view last = character_before(text);
    std::size_t at = 0;
    if (!is_space(next_character(last, at))) break;
    text.remove_suffix(last.size());
  }
  return text;
}

std::string_view strip_set(std::string_view text, std::string_view set, bool left, bool right) {
  const auto among = [&](std::string_view c) { return set.find(c) != std::string_view::npos; };
  while (left && !text.empty()) {
    const std::string_view first = text.substr(0, offset_of(text, 1));
    if (!among(first)) break;
    text.remove_prefix(first.size());
  }
  while (right && !text.empty() && among(character_before(text)))
    text.remove_suffix(character_before(text).size());
  return text;
}

std::vector<std::string_view> split_lines(std::string_view text, bool keep_ends) {
  std::vector<std::string_view> lines;
  std::size_t start = 0;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t from = at;
    const char32_t c = next_character(text, at);
    const bool ends =
        (c >= 10 && c <= 13) || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 || c == 0x2029;
    if (!ends) continue;
    if (c == '\r' && at < text.size() && text[at] == '\n') ++at;
    lines.push_back(text.substr(start, (keep_ends ? at : from) - start));
    start = at;
  }
  if (start < text.size()) lines.push_back(text.substr(start));
  return lines;
}

}  // namespace slipstream::jinja
