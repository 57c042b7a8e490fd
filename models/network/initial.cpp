#include "models/network/initial.hpp"

#include <cmath>
#include <numbers>

namespace slipstream {
namespace {

// The finaliser of SplitMix64 (Steele et al., OOPSLA 2014): a hash of its argument.
std::uint64_t mix(std::uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

std::uint64_t stream_of(std::uint64_t seed, const std::string &name) {
  std::uint64_t hash = mix(seed);
  for (const char c : name) hash = mix(hash ^ static_cast<unsigned char>(c));
  return hash;
}

double open_uniform(std::uint64_t bits) {
  return (static_cast<double>(bits >> 11) + 0.5) * 0x1p-53;
}

}  // namespace

// Box-Muller: two normal numbers from two uniform ones, so element i depends on the stream and i alone.
void counter_normal(float *to, std::int64_t count, std::uint64_t seed, const std::string &name,
                    double deviation) {
  const std::uint64_t stream = stream_of(seed, name);
  for (std::int64_t i = 0; i < count; i += 2) {
    const auto counter = static_cast<std::uint64_t>(i);
    const double radius = deviation * std::sqrt(-2.0 * std::log(open_uniform(mix(stream ^ mix(counter)))));
    const double angle = 2.0 * std::numbers::pi * open_uniform(mix(stream ^ mix(counter + 1)));
    to[i] = static_cast<float>(radius * std::cos(angle));
    if (i + 1 < count) to[i + 1] = static_cast<float>(radius * std::sin(angle));
  }
}

void counter_uniform(float *to, std::int64_t count, std::uint64_t seed, const std::string &name,
                     double bound) {
  const std::uint64_t stream = stream_of(seed, name);
  for (std::int64_t i = 0; i < count; ++i)
    to[i] = static_cast<float>(bound *
                               (2.0 * open_uniform(mix(stream ^ mix(static_cast<std::uint64_t>(i)))) - 1.0));
}

}  // namespace slipstream
