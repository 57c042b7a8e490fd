#include "models/engine/sampling.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

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

/// Tokens and their terms.
struct candidate {
  std::size_t id;
  float term;
};
using candidates = std::vector<candidate>;

double mass_of(const candidates &tokens) {
  double mass = 0;
  for (const auto &token : tokens) mass += static_cast<double>(token.term);
  return mass;
}

/// The likeliest tokens: all whose term is at least a threshold, which falls until `enough` says so.
template <class Enough>
candidates likeliest(const std::vector<float> &terms, float threshold, const Enough &enough) {
  for (;; threshold /= 16) {
    if (threshold < std::numeric_limits<float>::min()) threshold = std::numeric_limits<float>::denorm_min();
    candidates result;
    for (std::size_t id = 0; id < terms.size(); ++id)
      if (terms[id] >= threshold) result.push_back({id, terms[id]});
    if (threshold == std::numeric_limits<float>::denorm_min() || enough(result)) return result;
  }
}

/// What the filters keep, in the order of the ids. The best token's term is 1.
candidates filtered(const softmax_row &row, const sampling_options &options) {
  std::vector<float> terms(row.logits.size());
  arithmetic::softmax_terms(row.logits.data(), row.size(), row.scale, row.peak, terms.data());
  const auto k = static_cast<std::size_t>(options.top_k);
  const bool by_p = options.top_p < 1.0;
  const float least = static_cast<float>(options.min_p);
  candidates kept;
  if (k > 0)
    kept = likeliest(terms, 0.0625f, [&](const candidates &found) { return found.size() >= k; });
  else if (by_p)
    kept = likeliest(terms, 0.0625f,
                     [&](const candidates &found) { return mass_of(found) >= options.top_p * row.whole; });
  else
    kept = likeliest(terms, least, [](const candidates &) { return true; });
  std::sort(kept.begin(), kept.end(), [](const candidate &a, const candidate &b) {
    return a.term != b.term ? a.term > b.term : a.id < b.id;
  });
  if (k > 0 && kept.size() > k) kept.resize(k);
  if (by_p) {
    const double wanted = options.top_p * (k > 0 ? mass_of(kept) : row.whole);
    double reached = 0;
    std::size_t count = 0;
    while (count < kept.size() && (count == 0 || reached < wanted))
      reached += static_cast<double>(kept[count++].term);
    kept.resize(count);
  }
  std::erase_if(kept, [&](const candidate &token) { return token.term < least; });
  std::sort(kept.begin(), kept.end(), [](const candidate &a, const candidate &b) { return a.id < b.id; });
  return kept;
}

/// The token at which the sum of the terms passes u times their whole.
const candidate &invert(const candidates &kept, double mass, double u) {
  double reached = 0;
  for (const auto &token : kept)
    if (u * mass < (reached += static_cast<double>(token.term))) return token;
  return kept.back();
}

/// The same over all tokens: first the block, then the token in it.
std::size_t invert(const softmax_row &row, double u) {
  double reached = 0;
  std::size_t block = 0, last = 0;
  for (std::size_t b = 0; b < row.sums.size(); ++b) {
    if (row.sums[b] > 0) last = b;
    if (u * row.whole < reached + static_cast<double>(row.sums[b])) break;
    reached += static_cast<double>(row.sums[b]);
    block = b + 1;
  }
  block = std::min(block, last);
  constexpr auto size = static_cast<std::size_t>(arithmetic::softmax_block);
  const std::size_t first = block * size, count = std::min(size, row.logits.size() - first);
  float terms[size];
  arithmetic::softmax_terms(row.logits.data() + first, static_cast<std::int64_t>(count), row.scale, row.peak,
                            terms);
  std::size_t token = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (terms[i] <= 0) continue;
    token = i;
    if (u * row.whole < (reached += static_cast<double>(terms[i]))) break;
  }
  return first + token;
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
  const candidates kept = filtered(row, options);
  const double mass = mass_of(kept);
  const candidate &drawn = invert(kept, mass, u);
  drawn_token result{static_cast<std::int64_t>(drawn.id),
                     static_cast<float>(arithmetic::logarithm(static_cast<double>(drawn.term) / mass))};
  for (const auto &token : kept) result.kept.push_back(static_cast<std::int64_t>(token.id));
  return result;
}

}  // namespace

std::vector<double> filtered_probabilities(std::span<const float> logits, const sampling_options &options) {
  std::vector<double> result(logits.size(), 0.0);
  if (options.temperature == 0.0) {
    result[first_greatest(logits)] = 1.0;
    return result;
  }
  const softmax_row row = softmax_of(logits, scale_of(options));
  const candidates kept = filtered(row, options);
  const double mass = mass_of(kept);
  for (const auto &token : kept) result[token.id] = static_cast<double>(token.term) / mass;
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
