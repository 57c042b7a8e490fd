#include "runtime/topology/suggest.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace slipstream {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = i + j;
        continue;
      }
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}

std::string did_you_mean(std::string_view word, const std::vector<std::string> &known) {
  if (word.size() > 64) return "";
  std::string best;
  std::size_t least = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const auto &candidate : known) {
    const auto distance = edit_distance(word, candidate);
    if (distance >= least) continue;
    least = distance;
    best = candidate;
  }
  return best.empty() ? "" : fmt::format(" Did you mean \"{}\"?", best);
}

std::string listed(const std::vector<std::string> &words, std::string_view last) {
  if (words.empty()) return "none";
  std::string text = words.front();
  for (std::size_t i = 1; i + 1 < words.size(); ++i) text += ", " + words[i];
  return words.size() == 1 ? text : fmt::format("{} {} {}", text, last, words.back());
}

bool contains(const std::vector<std::string> &words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace slipstream
