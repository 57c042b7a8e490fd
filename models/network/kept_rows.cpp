#include "models/network/kept_rows.hpp"

#include <algorithm>

#include "models/arithmetic/rows.hpp"
#include "models/arithmetic/scalar.hpp"
#include "models/error.hpp"

namespace slipstream {
namespace {

// e^(logit * scale - peak) of each token, and their sum; the greatest is 1.
struct kept_terms {
  std::vector<float> each;
  double mass = 0;
};

kept_terms terms_of(const float *logits, std::int64_t vocabulary, std::span<const std::int64_t> kept,
                    float scale) {
  std::vector<float> own;
  for (const std::int64_t token : kept) {
    if (token < 0 || token >= vocabulary)
      throw run_error("a token was drawn from a set that is not within the vocabulary");
    own.push_back(logits[token]);
  }
  const auto count = static_cast<std::int64_t>(own.size());
  const float peak = arithmetic::greatest(own.data(), count) * scale;
  kept_terms terms{std::vector<float>(own.size()), 0};
  arithmetic::softmax_terms(own.data(), count, scale, peak, terms.each.data());
  for (const float term : terms.each) terms.mass += static_cast<double>(term);
  return terms;
}

std::size_t place_of(std::int64_t id, std::span<const std::int64_t> kept) {
  const auto found = std::lower_bound(kept.begin(), kept.end(), id);
  if (found == kept.end() || *found != id)
    throw run_error("a token was drawn that is not in the set that it was drawn from");
  return static_cast<std::size_t>(found - kept.begin());
}

}  // namespace

std::span<const std::int64_t> kept_rows::of(std::int64_t row) const {
  const auto first = static_cast<std::size_t>(starts.at(static_cast<std::size_t>(row))),
             last = static_cast<std::size_t>(starts.at(static_cast<std::size_t>(row) + 1));
  return std::span(ids).subspan(first, last - first);
}

void kept_rows::add(const kept_tokens &tokens) {
  for (const std::int64_t count : tokens.counts) starts.push_back(starts.back() + count);
  ids.insert(ids.end(), tokens.ids.begin(), tokens.ids.end());
}

float kept_logprob(const float *logits, std::int64_t vocabulary, std::int64_t id,
                   std::span<const std::int64_t> kept, float scale) {
  const kept_terms terms = terms_of(logits, vocabulary, kept, scale);
  return static_cast<float>(
      arithmetic::logarithm(static_cast<double>(terms.each[place_of(id, kept)]) / terms.mass));
}

void kept_logprob_gradient(const float *logits, std::int64_t vocabulary, std::int64_t id,
                           std::span<const std::int64_t> kept, float scale, float gy, float *g) {
  const kept_terms terms = terms_of(logits, vocabulary, kept, scale);
  std::fill(g, g + vocabulary, 0.0f);
  for (std::size_t i = 0; i < kept.size(); ++i)
    g[kept[i]] = -scale * gy * static_cast<float>(static_cast<double>(terms.each[i]) / terms.mass);
  g[id] += scale * gy;
}

}  // namespace slipstream
