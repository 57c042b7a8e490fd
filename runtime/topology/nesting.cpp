#include "runtime/topology/nesting.hpp"

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

namespace slipstream {
namespace {

// Behind a string that begins at `at` with a quote: one line, or several between three quotes. A line that
// ends in the middle of a string is the parser's to refuse.
std::size_t behind_string(std::string_view text, std::size_t at) {
  const char quote = text[at];
  const bool several = text.substr(at).starts_with(std::string(3, quote));
  for (std::size_t i = at + (several ? 3 : 1); i < text.size(); ++i) {
    if (text[i] == '\\' && quote == '"') {
      ++i;
    } else if (!several && (text[i] == quote || text[i] == '\n')) {
      return i + 1;
    } else if (several && text.substr(i).starts_with(std::string(3, quote))) {
      i += 3;
      while (i < text.size() && text[i] == quote) ++i;  // up to two more belong to it
      return i;
    }
  }
  return text.size();
}

nesting_place place_of(std::string_view text, std::size_t at) {
  nesting_place place;
  for (const char c : text.substr(0, at)) {
    place.column = c == '\n' ? 1 : place.column + 1;
    place.line += c == '\n' ? 1 : 0;
  }
  return place;
}

}  // namespace

std::optional<nesting_place> too_deep(std::string_view text, std::size_t deepest) {
  std::vector<std::size_t> dots{0};  // of the key at hand, by open bracket
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c == '"' || c == '\'') {
      at = behind_string(text, at);
      continue;
    }
    if (c == '#') {
      at = std::min(text.find('\n', at), text.size());
      continue;
    }
    if (c == '.') ++dots.back();
    if (c == '[' || c == '{') dots.push_back(1);
    if ((c == ']' || c == '}') && dots.size() > 1) dots.pop_back();
    if (c == ',' || (c == '\n' && dots.size() == 1)) dots.back() = dots.size() == 1 ? 0 : 1;
    if (std::reduce(dots.begin(), dots.end()) > deepest) return place_of(text, at);
    ++at;
  }
  return {};
}

}  // namespace slipstream
