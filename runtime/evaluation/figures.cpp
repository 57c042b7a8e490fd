#include "runtime/evaluation/figures.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <sstream>

namespace slipstream {
namespace {

double mean(const std::vector<double> &values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

std::vector<double> ranks(const std::vector<double> &values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return values[a] < values[b]; });
  std::vector<double> result(values.size());
  for (std::size_t first = 0; first < order.size();) {
    auto end = first;
    while (end < order.size() && values[order[end]] == values[order[first]]) ++end;
    for (auto i = first; i < end; ++i) result[order[i]] = static_cast<double>(first + end - 1) / 2;
    first = end;
  }
  return result;
}

}  // namespace

double pearson(const std::vector<double> &a, const std::vector<double> &b) {
  if (a.empty()) return 0;
  const auto mean_a = mean(a), mean_b = mean(b);
  double both = 0, squares_a = 0, squares_b = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    both += (a[i] - mean_a) * (b[i] - mean_b);
    squares_a += (a[i] - mean_a) * (a[i] - mean_a);
    squares_b += (b[i] - mean_b) * (b[i] - mean_b);
  }
  return squares_a > 0 && squares_b > 0 ? both / std::sqrt(squares_a * squares_b) : 0;
}

double spearman(const std::vector<double> &a, const std::vector<double> &b) {
  return pearson(ranks(a), ranks(b));
}

double distinct_ngrams(const std::vector<std::string> &texts, std::size_t n) {
  std::set<std::vector<std::string>> distinct;
  std::size_t count = 0;
  for (const auto &text : texts) {
    std::istringstream in(text);
    std::vector<std::string> window;
    for (std::string word; in >> word;) {
      window.push_back(word);
      if (window.size() > n) window.erase(window.begin());
      if (window.size() < n) continue;
      distinct.insert(window);
      ++count;
    }
  }
  return count > 0 ? static_cast<double>(distinct.size()) / static_cast<double>(count) : 0;
}

double distinct_texts(const std::vector<std::string> &texts) {
  const std::set<std::string> distinct(texts.begin(), texts.end());
  return texts.empty() ? 0 : static_cast<double>(distinct.size()) / static_cast<double>(texts.size());
}

}  // namespace slipstream
