#include "runtime/learning/gradient_comparison.hpp"

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "runtime/learning/batch_figures.hpp"

namespace slipstream {
namespace {

// In float64, so that the cosine of a gradient with itself is 1.
at::Tensor direction(const batch_gradient &gradient) {
  const auto wide = gradient.sum.to(at::kDouble);
  const auto norm = wide.norm();
  return norm.item<double>() > 0 ? wide / norm
                                 : at::full_like(wide, std::numeric_limits<double>::quiet_NaN());
}

nlohmann::json number(double value) {
  return std::isfinite(value) ? nlohmann::json(value) : nlohmann::json();
}

}  // namespace

gradient_comparison compare_gradients(
    trainer &core, const std::vector<sample_group_ptr> &batch, std::int64_t repeats,
    const std::function<std::vector<sample_group_ptr>(std::int64_t repeat)> &fresh) {
  gradient_comparison figures;
  figures.version = core.version();
  const auto staleness = measure_staleness(batch, core.version());
  figures.staleness_mean = staleness.mean;
  figures.staleness_max = staleness.largest;
  const auto stale = core.gradient(batch);
  figures.norm = stale.norm;
  figures.variance = stale.variance;
  const auto stale_direction = direction(stale);
  auto sum = at::zeros_like(stale_direction);  // of the fresh directions
  const auto draws = static_cast<double>(repeats);
  for (std::int64_t repeat = 0; repeat < repeats; ++repeat) {
    const auto gradient = core.gradient(fresh(repeat));
    figures.fresh_norm += gradient.norm / draws;
    figures.fresh_variance += gradient.variance / draws;
    const auto unit = direction(gradient);
    figures.cosine += stale_direction.dot(unit).item<double>() / draws;
    sum += unit;
  }
  // the sum's square holds every draw with itself once and every pair twice
  figures.cosine_fresh = repeats < 2 ? std::numeric_limits<double>::quiet_NaN()
                                     : (sum.dot(sum).item<double>() - draws) / (draws * (draws - 1));
  return figures;
}

nlohmann::json to_json(const gradient_comparison &figures) {
  return {{"version", figures.version},
          {"staleness_mean", figures.staleness_mean},
          {"staleness_max", figures.staleness_max},
          {"norm", number(figures.norm)},
          {"variance", number(figures.variance)},
          {"fresh_norm", number(figures.fresh_norm)},
          {"fresh_variance", number(figures.fresh_variance)},
          {"cosine", number(figures.cosine)},
          {"cosine_fresh", number(figures.cosine_fresh)}};
}

}  // namespace slipstream
