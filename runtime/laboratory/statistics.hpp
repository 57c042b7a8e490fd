#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace slipstream {

/// A mean with its confidence interval. With fewer than two values there is no interval: low and high are the
/// mean.
struct estimate {
  std::int64_t count = 0;
  double mean = 0, low = 0, high = 0;

  double half_width() const { return (high - low) / 2; }
};

/// P(|T| <= t) of Student's t distribution with `freedom` (1 or more) degrees of freedom.
double student_within(double t, std::int64_t freedom);
/// The t that |T| stays within with probability `confidence` (between 0 and 1).
double student_quantile(double confidence, std::int64_t freedom);

/// Student's interval of the mean; nothing for no values.
std::optional<estimate> estimate_mean(const std::vector<double> &values, double confidence = 0.95);

/// The mean of the differences `values` - `others` over the seeds that both have.
std::optional<estimate> paired_difference(const std::map<std::uint64_t, double> &values,
                                          const std::map<std::uint64_t, double> &others,
                                          double confidence = 0.95);

/// A figure over some axis; x never falls.
struct curve {
  std::vector<double> x, y;
};
/// y as the mean of the last `window` points.
curve trailing_mean(const curve &line, std::size_t window);
/// y at x by straight lines between points; x must lie within the curve's ends.
double interpolate(const curve &line, double x);

struct band_point {
  double x = 0;
  estimate y;
};
/// The mean of several curves with its interval, at `points` places along the stretch that all of them cover
/// (the very x of the curves, where they are the same in all). Empty when they have no stretch in common.
std::vector<band_point> mean_curve(const std::vector<curve> &lines, std::size_t points = 200);

}  // namespace slipstream
