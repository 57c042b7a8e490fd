#include "models/engine/sampling.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "models/arithmetic/rows.hpp"
#include "models/arithmetic/scalar.hpp"
#include "models/error.hpp"

namespace slipstream {
namespace {

constexpr const char *not_finite =
    "the model's logits are not finite: its weights are damaged or its training diverged";

/// A row of logits and the softmax of it: terms e^(logit * scale - peak), and their sums by blocks.
struct softmax_row {
  std::span<const float> logits;
  float scale = 1, peak = 0;
  std::vector<float> sums;
  double whole = 0;

  std::int64_t size() const { return static_cast<std::int64_t>(logits.size()); }
  float logprob(std::size_t token) const {
    return logits[token] * scale - arithmetic::log_of_sum(peak, whole);
  }
};

softmax_row softmax_of(std::span<const float> logits, float scale) {
  softmax_row row{logits, scale, 0, {}, 0};
  row.peak = arithmetic::greatest(logits.data(), row.size()) * scale;
  row.sums.resize((logits.size() + arithmetic::softmax_block - 1) / arithmetic::softmax_block);
  row.whole = arithmetic::softmax_sums(logits.data(), row.size(), scale, row.peak, row.sums.data());
  if (!std::isfinite(row.whole)) throw run_error(not_finite);
  return row;
}

float scale_of(const sampling_options &options) {
  return static_cast<float>(1.0 / options.temperature);
}

bool filters(const sampling_options &options) {
  return options.top_k > 0 || options.top_p < 1.0 || options.min_p > 0.0;
}

/// The terms of all tokens, 0 for those that are filtered out, and their sums by blocks.
struct terms_row {
  std::vector<float> terms, sums;
  double whole = 0;

  std::int64_t size() const { return static_cast<std::int64_t>(terms.size()); }
};

/// The greatest threshold at which `enough` holds of the terms that are at least as great, by halving: floats
/// above 0 are ordered as their bits are.
template <class Enough>
float greatest_threshold(const terms_row &row, const Enough &enough) {
  std::uint32_t low = 1, high = std::bit_cast<std::uint32_t>(1.0f);  // the best token's term
  if (enough(arithmetic::sum_above(row.terms.data(), row.size(), 1.0f))) return 1.0f;
  while (high - low > 1) {
    const std::uint32_t middle = low + (high - low) / 2;
    const float threshold = std::bit_cast<float>(middle);
    (enough(arithmetic::sum_above(row.terms.data(), row.size(), threshold)) ? low : high) = middle;
  }
  return std::bit_cast<float>(low);
}

/// Leaves the terms above `threshold`, and of those that equal it the first `equal`.
void keep_from(terms_row &row, float threshold, std::int64_t equal) {
  arithmetic::drop_below(row.terms.data(), row.size(), threshold);
  for (float &term : row.terms)
    if (term == threshold && equal-- <= 0) term = 0;
}

terms_row all_terms(const softmax_row &row) {
  terms_row result{std::vector<float>(row.logits.size()), std::vector<float>(row.sums.size()), row.whole};
  arithmetic::softmax_terms(row.logits.data(), row.size(), row.scale, row.peak, result.terms.data());
  return result;
}

void keep_likeliest(terms_row &row, std::int64_t k) {
  if (k >= row.size()) return;
  const float threshold =
      greatest_threshold(row, [k](const arithmetic::terms_above &found) { return found.count >= k; });
  const auto beyond = arithmetic::sum_above(row.terms.data(), row.size(),
                                            std::nextafter(threshold, std::numeric_limits<float>::max()));
  keep_from(row, threshold, k - beyond.count);
}

void keep_share(terms_row &row, double p) {
  const double wanted =
      p * arithmetic::sum_above(row.terms.data(), row.size(), std::numeric_limits<float>::denorm_min()).sum;
  const float threshold =
      greatest_threshold(row, [wanted](const arithmetic::terms_above &found) { return found.sum >= wanted; });
  double reached = arithmetic::sum_above(row.terms.data(), row.size(),
                                         std::nextafter(threshold, std::numeric_limits<float>::max()))
                       .sum;
  std::int64_t equal = 0;
  for (; equal == 0 || reached < wanted; ++equal) reached += static_cast<double>(threshold);
  keep_from(row, threshold, equal);
}

/// What the filters keep. The best token's term is 1.
terms_row filtered(const softmax_row &row, const sampling_options &options) {
  terms_row kept = all_terms(row);
  if (options.top_k > 0) keep_likeliest(kept, options.top_k);
  if (options.top_p < 1.0) keep_share(kept, options.top_p);
  if (options.min_p > 0.0)
    arithmetic::drop_below(kept.terms.data(), kept.size(), static_cast<float>(options.min_p));
  kept.whole = arithmetic::block_sums(kept.terms.data(), kept.size(), kept.sums.data());
  return kept;
}

constexpr auto block_size = static_cast<std::size_t>(arithmetic::softmax_block);

/// The block in which the sum of all terms passes u times their whole; adds those before it to `reached`.
std::size_t block_of(const std::vector<float> &sums, double wanted, double &reached) {
  std::size_t block = 0, last = 0;
  for (std::size_t b = 0; b < sums.size(); ++b) {
    if (sums[b] > 0) last = b;
    if (wanted < reached + static_cast<double>(sums[b])) break;
    reached += static_cast<double>(sums[b]);
    block = b + 1;
  }
  return std::min(block, last);
}

/// The token in a block at which it does.
std::size_t place_of(std::span<const float> terms, double wanted, double reached) {
  std::size_t token = 0;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    if (terms[i] <= 0) continue;
    token = i;
    if (wanted < (reached += static_cast<double>(terms[i]))) break;
  }
  return token;
}

std::size_t invert(const terms_row &row, double u) {
  double reached = 0;
  const std::size_t first = block_of(row.sums, u * row.whole, reached) * block_size;
  const std::size_t count = std::min(block_size, row.terms.size() - first);
  return first + place_of(std::span(row.terms).subspan(first, count), u * row.whole, reached);
}

/// The same over all tokens, of which one block's terms are computed.
std::size_t invert(const softmax_row &row, double u) {
  double reached = 0;
  const std::size_t first = block_of(row.sums, u * row.whole, reached) * block_size;
  const std::size_t count = std::min(block_size, row.logits.size() - first);
  float terms[block_size];
  arithmetic::softmax_terms(row.logits.data() + first, static_cast<std::int64_t>(count), row.scale, row.peak,
                            terms);
  return first + place_of({terms, count}, u * row.whole, reached);
}

std::size_t first_greatest(std::span<const float> logits) {
  return static_cast<std::size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

/// The logits without the forbidden ids; ids beyond them forbid nothing.
std::span<const float> allowed(std::span<const float> logits, std::span<const std::int64_t> forbidden,
                               std::vector<float> &room) {
  if (forbidden.empty()) return logits;
  room.assign(logits.begin(), logits.end());
  for (const std::int64_t id : forbidden)
    if (id >= 0 && id < static_cast<std::int64_t>(room.size()))
      room[static_cast<std::size_t>(id)] = -std::numeric_limits<float>::infinity();
  return room;
}

drawn_token draw(std::span<const float> all, std::span<const float> possible, const sampling_options &options,
                 double u) {
  if (options.temperature == 0.0) {
    const std::size_t best = first_greatest(possible);
    return {static_cast<std::int64_t>(best), softmax_of(all, 1.0f).logprob(best)};
  }
  const softmax_row row = softmax_of(possible, scale_of(options));
  if (!filters(options)) {
    const std::size_t token = invert(row, u);
    return {static_cast<std::int64_t>(token), row.logprob(token)};
  }
  const terms_row kept = filtered(row, options);
  const std::size_t token = invert(kept, u);
  drawn_token drawn{
      static_cast<std::int64_t>(token),
      static_cast<float>(arithmetic::logarithm(static_cast<double>(kept.terms[token]) / kept.whole))};
  if (options.keep_sets)
    for (std::size_t id = 0; id < kept.terms.size(); ++id)
      if (kept.terms[id] > 0) drawn.kept.push_back(static_cast<std::int64_t>(id));
  return drawn;
}

}  // namespace

std::vector<double> filtered_probabilities(std::span<const float> logits, const sampling_options &options) {
  std::vector<double> result(logits.size(), 0.0);
  if (options.temperature == 0.0) {
    result[first_greatest(logits)] = 1.0;
    return result;
  }
  const softmax_row row = softmax_of(logits, scale_of(options));
  const terms_row kept = filtered(row, options);
  const double mass = std::accumulate(kept.terms.begin(), kept.terms.end(), 0.0);
  for (std::size_t id = 0; id < result.size(); ++id) result[id] = static_cast<double>(kept.terms[id]) / mass;
  return result;
}

drawn_token draw_token(std::span<const float> logits, const sampling_options &options,
                       std::span<const std::int64_t> forbidden, double u) {
  thread_local std::vector<float> room;
  const drawn_token drawn = draw(logits, allowed(logits, forbidden, room), options, u);
  if (!std::isfinite(drawn.logprob)) throw run_error(not_finite);
  return drawn;
}

}  // namespace slipstream
