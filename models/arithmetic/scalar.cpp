#include "models/arithmetic/scalar.hpp"

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace slipstream::arithmetic {
namespace {

// ln 2 and pi / 2 as sums of a double with zeros at its end, whose multiples are exact, and what is left.
constexpr double ln2_high = 6.93147180369123816490e-01, ln2_low = 1.90821492927058770002e-10;
constexpr double quarter_high = 0x1.921fb544p0, quarter_middle = 0x1.0b4611a6p-34,
                 quarter_low = 0x1.3198a2e037073p-69;

double scaled(double x, std::int64_t exponent) {  // x 2^exponent, in two steps where one would overflow
  const auto two_to = [](std::int64_t n) {
    return std::bit_cast<double>(static_cast<std::uint64_t>(n + 1023) << 52);
  };
  const std::int64_t half = exponent / 2;
  return x * two_to(half) * two_to(exponent - half);
}

}  // namespace

double logarithm(double x) {
  if (!(x >= 0)) return std::numeric_limits<double>::quiet_NaN();
  if (x == 0) return -std::numeric_limits<double>::infinity();
  if (std::isinf(x)) return x;
  int exponent = 0;
  double m = std::frexp(x, &exponent);  // 0.5 .. 1
  if (m < 0.70710678118654752) {
    m *= 2;
    --exponent;
  }
  // ln m = 2 atanh(s), s = (m - 1) / (m + 1), |s| < 0.172
  const double s = (m - 1) / (m + 1), z = s * s;
  double sum = 0;
  for (int k = 23; k >= 3; k -= 2) sum = (sum + 1.0 / k) * z;
  const double n = exponent;
  return n * ln2_high + (2 * s + (2 * s * sum + n * ln2_low));
}

double exponential(double x) {
  if (x != x) return x;
  if (x > 709.8) return std::numeric_limits<double>::infinity();
  if (x < -745.2) return 0;
  const double n = std::nearbyint(x * 1.44269504088896340736);
  const double r = (x - n * ln2_high) - n * ln2_low;
  double sum = 1;
  for (int k = 14; k >= 1; --k) sum = 1 + sum * r / k;
  return scaled(sum, static_cast<std::int64_t>(n));
}

double power(double x, double y) {
  return exponential(y * logarithm(x));
}

sine_cosine turn(double angle) {
  const double n = std::nearbyint(angle * 0.63661977236758134308);
  const double r = ((angle - n * quarter_high) - n * quarter_middle) - n * quarter_low, z = r * r;
  double sine = 0, cosine = 0;
  for (int k = 21; k >= 3; k -= 2) sine = (1 + sine) * -z / (k * (k - 1));
  for (int k = 20; k >= 2; k -= 2) cosine = (1 + cosine) * -z / (k * (k - 1));
  sine = r + r * sine;
  cosine = 1 + cosine;
  switch (static_cast<std::int64_t>(n) & 3) {
    case 0:
      return {sine, cosine};
    case 1:
      return {cosine, -sine};
    case 2:
      return {-sine, -cosine};
    default:
      return {-cosine, sine};
  }
}

}  // namespace slipstream::arithmetic
