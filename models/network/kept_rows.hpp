#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "models/types.hpp"

namespace slipstream {

/// For each of several tokens, the tokens that it was drawn from: row i's are ids[starts[i] .. starts[i +
/// 1]); none: the whole vocabulary.
struct kept_rows {
  std::vector<std::int64_t> starts{0}, ids;

  bool empty() const { return ids.empty(); }
  std::span<const std::int64_t> of(std::int64_t row) const;
  void add_whole() { starts.push_back(starts.back()); }
  void add(const kept_tokens &tokens);
};

/// The log-probability of `id` under softmax(logits * scale) over the tokens `kept`, as
/// sampling.hpp's draw_token gives it, to the bit. Throws run_error for ids beyond logits[vocabulary].
float kept_logprob(const float *logits, std::int64_t vocabulary, std::int64_t id,
                   std::span<const std::int64_t> kept, float scale);
/// Writes its gradient g[vocabulary] by the logits, times `gy`: 0 for tokens that were not kept. g is not
/// logits.
void kept_logprob_gradient(const float *logits, std::int64_t vocabulary, std::int64_t id,
                           std::span<const std::int64_t> kept, float scale, float gy, float *g);

}  // namespace slipstream
