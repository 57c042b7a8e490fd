#include "models/engine/sampling.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "models/error.hpp"
#include "models/arithmetic/rows.hpp"

namespace slipstream {
namespace {

constexpr const char *not_finite =
    "the model's logits are not finite: its weights are damaged or its training diverged";
constexpr double minus_infinity = -std::numeric_limits<double>::infinity();

template <class Number>
std::size_t greatest(std::span<const Number> logits) {
  return static_cast<std::size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

std::vector<double> softmax(std::span<const double> logits, double temperature) {
  std::vector<double> p(logits.size());
  const double best = logits[greatest(logits)];
  double total = 0.0;
  for (std::size_t i = 0; i < p.size(); ++i) total += p[i] = std::exp((logits[i] - best) / temperature);
  if (!std::isfinite(total)) throw run_error(not_finite);
  for (double &value : p) value /= total;
  return p;
}

bool filters(const sampling_options &options) {
  return options.top_k > 0 || options.top_p < 1.0 || options.min_p > 0.0;
}

// What top-k keeps of the possible tokens, in ascending order.
std::vector<std::size_t> top_k(const std::vector<double> &p, std::int64_t k) {
  std::vector<std::size_t> ids;
  for (std::size_t i = 0; i < p.size(); ++i)
    if (p[i] > 0.0) ids.push_back(i);
  const auto count = static_cast<std::size_t>(k);
  if (k <= 0 || count >= ids.size()) return ids;
  const auto more_likely = [&p](std::size_t a, std::size_t b) { return p[a] != p[b] ? p[a] > p[b] : a < b; };
  std::nth_element(ids.begin(), ids.begin() + k, ids.end(), more_likely);
  ids.resize(count);
  std::sort(ids.begin(), ids.end());
  return ids;
}

// The smallest set of the most likely of `ids` whose mass reaches `share` of theirs. Takes them from a heap,
// because few of a large vocabulary are wanted.
std::vector<std::size_t> top_p(const std::vector<double> &p, std::vector<std::size_t> ids, double share) {
  if (share >= 1.0) return ids;
  double mass = 0.0, reached = 0.0;
  for (const std::size_t id : ids) mass += p[id];
  const auto less_likely = [&p](std::size_t a, std::size_t b) { return p[a] != p[b] ? p[a] < p[b] : a > b; };
  std::make_heap(ids.begin(), ids.end(), less_likely);
  auto end = ids.end();
  do {
    std::pop_heap(ids.begin(), end, less_likely);
    reached += p[*--end];
  } while (end != ids.begin() && reached < share * mass);
  return {end, ids.end()};
}

std::size_t invert(std::span<const double> weights, double u) {
  double total = 0.0;
  for (const double weight : weights) total += weight;
  if (!std::isfinite(total) || total <= 0.0) throw run_error(not_finite);
  double reached = 0.0;
  std::size_t last = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] <= 0.0) continue;
    last = i;
    reached += weights[i];
    if (u * total < reached) break;
  }
  return last;
}

// Ids beyond the logits forbid nothing.
void forbid(std::vector<double> &logits, std::span<const std::int64_t> forbidden) {
  for (const std::int64_t id : forbidden)
    if (id >= 0 && id < static_cast<std::int64_t>(logits.size()))
      logits[static_cast<std::size_t>(id)] = minus_infinity;
}

drawn_token draw_greedy(std::span<const float> logits, std::span<const std::int64_t> forbidden) {
  std::vector<double> allowed(logits.begin(), logits.end());
  forbid(allowed, forbidden);
  const std::size_t best = greatest<double>(allowed);
  std::vector<float> logprobs(logits.size());
  arithmetic::log_softmax(logits.data(), static_cast<std::int64_t>(logits.size()), 1.0f, logprobs.data());
  return {static_cast<std::int64_t>(best), logprobs[best]};
}

drawn_token draw_unfiltered(std::span<const float> logits, double temperature, double u) {
  std::vector<float> logprobs(logits.size());
  arithmetic::log_softmax(logits.data(), static_cast<std::int64_t>(logits.size()),
                       static_cast<float>(1.0 / temperature), logprobs.data());
  std::vector<double> weights(logits.size());
  for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = std::exp(static_cast<double>(logprobs[i]));
  const std::size_t token = invert(weights, u);
  return {static_cast<std::int64_t>(token), logprobs[token]};
}

drawn_token draw_filtered(std::span<const float> logits, const sampling_options &options,
                          std::span<const std::int64_t> forbidden, double u) {
  std::vector<double> allowed(logits.begin(), logits.end());
  forbid(allowed, forbidden);
  const std::vector<double> p = filtered_probabilities(allowed, options);
  const std::size_t token = invert(p, u);
  return {static_cast<std::int64_t>(token), static_cast<float>(std::log(p[token]))};
}

}  // namespace

std::vector<double> filtered_probabilities(std::span<const double> logits, const sampling_options &options) {
  std::vector<double> result(logits.size(), 0.0);
  if (options.temperature == 0.0) {
    result[greatest(logits)] = 1.0;
    return result;
  }
  const std::vector<double> p = softmax(logits, options.temperature);
  if (!filters(options)) return p;
  std::vector<std::size_t> kept = top_p(p, top_k(p, options.top_k), options.top_p);
  const double least = options.min_p * p[greatest<double>(p)];
  std::erase_if(kept, [&](std::size_t id) { return p[id] < least; });
  std::sort(kept.begin(), kept.end());
  double total = 0.0;
  for (const std::size_t id : kept) total += p[id];
  for (const std::size_t id : kept) result[id] = p[id] / total;
  return result;
}

drawn_token draw_token(std::span<const float> logits, const sampling_options &options,
                       std::span<const std::int64_t> forbidden, double u) {
  const drawn_token drawn = options.temperature == 0.0 ? draw_greedy(logits, forbidden)
                            : filters(options) || !forbidden.empty()
                                ? draw_filtered(logits, options, forbidden, u)
                                : draw_unfiltered(logits, options.temperature, u);
  if (!std::isfinite(drawn.logprob)) throw run_error(not_finite);
  return drawn;
}

}  // namespace slipstream
