#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace slipstream {

/// How products and attention are summed. `exact`: in a fixed order that depends on no other row, slot or
/// batch size, so equal inputs give equal bits however they were batched. `fast`: whatever BLAS does.
enum class numerics { fast, exact };

/// Why a generation ended: the end token, the token limit, or the caller's abort.
enum class finish_reason : std::uint8_t { stop, length, aborted };

/// "stop", "length" or "aborted".
std::string_view to_string(finish_reason reason);

/// How tokens are drawn. Applied in this order: temperature, top-k, top-p, min-p, renormalise.
/// Temperature 0 is greedy; top_k 0, top_p 1 and min_p 0 filter nothing.
struct sampling_options {
  double temperature = 1.0;
  std::int64_t top_k = 0;
  double top_p = 1.0;
  double min_p = 0.0;
};

/// The tokens that top-k, top-p and min-p left when each token of an answer was drawn: counts[t] ids,
/// ascending, one token's after the other's. Both empty: nothing was filtered.
struct kept_tokens {
  std::vector<std::int64_t> counts, ids;

  bool empty() const { return counts.empty(); }
  void append(const kept_tokens &more);
  /// Those of the tokens from `first` on.
  kept_tokens from(std::size_t first) const;
  bool operator==(const kept_tokens &) const = default;
};

/// One sampled answer. Arrays run over the generated tokens (the end token included).
struct generation {
  std::vector<std::int64_t> tokens;
  std::vector<float> logprobs;  ///< log-probability under the temperature and filters it was drawn with
  std::vector<std::int64_t> versions;  ///< version of the weights that made each token
  finish_reason reason = finish_reason::length;
  /// Version of the oldest weights whose keys and values each token attended to; at most its `versions`.
  std::vector<std::int64_t> cache_versions{};
  kept_tokens kept{};  ///< `logprobs` are over these tokens alone
};

/// What a sample has got so far: arrays as in `generation`, whose `reason` counts once it has ended.
struct partial_generation {
  generation answer;
  bool ended = false;
};
/// Tokens of all samples together.
std::int64_t token_count(const std::vector<partial_generation> &samples);

}  // namespace slipstream
