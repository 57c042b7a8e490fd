#include "models/files/gguf/rope.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace slipstream {
namespace {

constexpr double close_enough = 1e-4;  // of factors that were computed in float32

std::vector<float> unscaled(const model_spec &spec) {
  model_spec plain = spec;
  plain.rope = {};
  return rotary_frequencies(plain);
}

// Whether a scaling gives these factors.
bool gives(const rope_scaling &scaling, const std::vector<float> &factors, const model_spec &spec) {
  model_spec scaled = spec;
  scaled.rope = scaling;
  const auto plain = unscaled(spec), result = rotary_frequencies(scaled);
  for (std::size_t i = 0; i < factors.size(); ++i) {
    const double factor = static_cast<double>(plain[i]) / static_cast<double>(result[i]);
    if (std::abs(factor / static_cast<double>(factors[i]) - 1) > close_enough) return false;
  }
  return true;
}

rope_scaling llama3(double factor, double low, double high, double positions) {
  return {rope_scaling::kind::llama3, factor, low, high, positions};
}

// With x = turns a position and k = the share that is kept, k = (x - a) / (b - a) for a and b the bounds over
// the original positions. Points between the bounds give them: two of them as a line, one with the nearest
// point outside, none by any two bounds that separate the kept from the stretched.
rope_scaling recovered(const std::vector<float> &factors, const model_spec &spec) {
  const auto plain = unscaled(spec);
  const double factor = static_cast<double>(*std::max_element(factors.begin(), factors.end()));
  double stretched = 0, kept = plain.front() / (2 * std::numbers::pi) * 2;
  std::vector<std::pair<double, double>> between;
  for (std::size_t i = 0; i < factors.size(); ++i) {
    const double x = static_cast<double>(plain[i]) / (2 * std::numbers::pi);
    const double k = (1 / static_cast<double>(factors[i]) - 1 / factor) / (1 - 1 / factor);
    if (k < 1e-6)
      stretched = std::max(stretched, x);
    else if (k > 1 - 1e-6)
      kept = std::min(kept, x);
    else
      between.emplace_back(x, k);
  }
  double a = stretched, b = kept;
  if (between.size() >= 2) {
    const auto [x1, k1] = between.front();
    const auto [x2, k2] = between.back();
    const double slope = (k1 - k2) / (x1 - x2);
    a = x1 - k1 / slope;
    b = a + 1 / slope;
  } else if (between.size() == 1) {
    const auto [x, k] = between.front();
    b = a + (x - a) / k;
    if (b > kept) {
      b = kept;
      a = (x - k * b) / (1 - k);
    }
  }
  if (!(a > 0)) a = b / 1024;                                 // nothing is stretched whole
  const double positions = std::max(1.0, std::round(1 / a));  // a whole number; the rule knows ratios only
  return llama3(factor, a * positions, b * positions, positions);
}

}  // namespace

std::optional<rope_scaling> scaling_of_factors(const std::vector<float> &factors, const model_spec &spec) {
  if (factors.size() != static_cast<std::size_t>(spec.head_dim / 2)) return {};
  for (const float factor : factors)
    if (!std::isfinite(factor) || !(factor > 0)) return {};
  const double most = static_cast<double>(*std::max_element(factors.begin(), factors.end()));
  std::vector<rope_scaling> guesses{
      {}, {rope_scaling::kind::linear, most, 1, 4, 8192}, llama3(most, 1, 4, 8192)};
  if (most > 1) guesses.push_back(recovered(factors, spec));
  for (const auto &guess : guesses)
    if (guess.high_freq_factor > guess.low_freq_factor && gives(guess, factors, spec)) return guess;
  return {};
}

}  // namespace slipstream
