#include "runtime/laboratory/statistics.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace slipstream {

// For whole degrees of freedom the distribution is a finite sum (Abramowitz and Stegun 26.7.3 and 26.7.4).
double student_within(double t, std::int64_t freedom) {
  const double angle = std::atan(t / std::sqrt(static_cast<double>(freedom)));
  const double cosine = std::cos(angle), sine = std::sin(angle);
  const bool odd = freedom % 2 == 1;
  double term = odd ? cosine : 1.0, sum = 0;
  for (std::int64_t k = odd ? 1 : 0; k <= freedom - 2; k += 2) {
    sum += term;
    term *= cosine * cosine * static_cast<double>(k + 1) / static_cast<double>(k + 2);
  }
  return odd ? 2 / std::numbers::pi * (angle + sine * sum) : sine * sum;
}

double student_quantile(double confidence, std::int64_t freedom) {
  double low = 0, high = 1;
  while (student_within(high, freedom) < confidence) high *= 2;
  for (int step = 0; step < 100; ++step) {
    const double middle = (low + high) / 2;
    (student_within(middle, freedom) < confidence ? low : high) = middle;
  }
  return (low + high) / 2;
}

std::optional<estimate> estimate_mean(const std::vector<double> &values, double confidence) {
  if (values.empty()) return {};
  const auto count = static_cast<double>(values.size());
  double sum = 0, squares = 0;
  for (const double value : values) sum += value;
  const double mean = sum / count;
  for (const double value : values) squares += (value - mean) * (value - mean);
  double half = 0;
  if (values.size() > 1)
    half = student_quantile(confidence, static_cast<std::int64_t>(values.size()) - 1) *
           std::sqrt(squares / (count - 1) / count);
  return estimate{static_cast<std::int64_t>(values.size()), mean, mean - half, mean + half};
}

std::optional<estimate> paired_difference(const std::map<std::uint64_t, double> &values,
                                          const std::map<std::uint64_t, double> &others, double confidence) {
  std::vector<double> differences;
  for (const auto &[seed, value] : values)
    if (const auto other = others.find(seed); other != others.end())
      differences.push_back(value - other->second);
  return estimate_mean(differences, confidence);
}

curve trailing_mean(const curve &line, std::size_t window) {
  curve result{line.x, {}};
  for (std::size_t i = 0; i < line.y.size(); ++i) {
    const auto first = i + 1 >= window ? i + 1 - window : 0;
    double sum = 0;
    for (auto j = first; j <= i; ++j) sum += line.y[j];
    result.y.push_back(sum / static_cast<double>(i + 1 - first));
  }
  return result;
}

double interpolate(const curve &line, double x) {
  const auto above = std::lower_bound(line.x.begin(), line.x.end(), x);
  if (above == line.x.end()) return line.y.back();
  const auto i = static_cast<std::size_t>(above - line.x.begin());
  if (i == 0 || *above == x) return line.y[i];
  const double share = (x - line.x[i - 1]) / (line.x[i] - line.x[i - 1]);
  return line.y[i - 1] + share * (line.y[i] - line.y[i - 1]);
}

std::vector<band_point> mean_curve(const std::vector<curve> &lines, std::size_t points) {
  std::vector<double> places;
  if (lines.empty()) return {};
  const bool same =
      std::all_of(lines.begin(), lines.end(), [&](const curve &line) { return line.x == lines.front().x; });
  if (same) {
    places = lines.front().x;
  } else {
    double first = -INFINITY, last = INFINITY;
    for (const auto &line : lines) {
      if (line.x.empty()) return {};
      first = std::max(first, line.x.front());
      last = std::min(last, line.x.back());
    }
    for (std::size_t i = 0; i < points && first <= last; ++i)
      places.push_back(first + (last - first) * static_cast<double>(i) / static_cast<double>(points - 1));
  }
  std::vector<band_point> result;
  for (const double x : places) {
    std::vector<double> values;
    for (const auto &line : lines) values.push_back(interpolate(line, x));
    result.push_back({x, *estimate_mean(values)});
  }
  return result;
}

}  // namespace slipstream
