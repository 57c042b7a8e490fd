#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "models/network/transformer.hpp"

namespace slipstream {

/// Token sequences padded on the right. Positions count from 0; padding attends to nothing that counts.
struct token_batch {
  at::Tensor ids;      ///< [B,T] int64
  at::Tensor lengths;  ///< [B] int64
  /// [B] of each row's last counts.size() tokens, whose log-probabilities are over these tokens alone; empty:
  /// all are over the whole vocabulary.
  std::vector<kept_tokens> kept{};
};

/// Pads `sequences` (each at least one token) with `pad` to the longest one (or to `width` when larger).
token_batch pad_tokens(const std::vector<std::vector<std::int64_t>> &sequences, std::int64_t pad,
                       std::int64_t width = 0);

/// Hidden states [B,T,hidden] of a padded batch under causal attention. In exact numerics each row equals,
/// bit for bit, what the generation engine computes for it. Differentiable.
at::Tensor batch_hidden(const transformer &model, const token_batch &batch);

/// Per-token figures of a padded batch, position t speaking of token t given those before; position 0 is 0.
struct token_scores {
  at::Tensor logprobs;  ///< [B,T] log-probability of ids[t] at `temperature`
  at::Tensor
      entropy;  ///< [B,T] entropy of the whole distribution over token t, in nats; undefined unless asked for
};
/// Which entropies are wanted: those with a gradient need all logits at once.
enum class entropies { none, without_gradient, differentiable };
token_scores batch_logprobs(const transformer &model, const token_batch &batch, double temperature,
                            entropies wanted = entropies::none);

/// A critic's values [B,T] by a model with a score head: position t is the value before token t, read at the
/// token before it; position 0 is 0.
at::Tensor batch_values(const transformer &model, const token_batch &batch);

/// Sequence scores [B] of a model with a score head, read at each sequence's last token.
at::Tensor batch_scores(const transformer &model, const token_batch &batch);

}  // namespace slipstream
