#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

#include "models/engine/paged_cache.hpp"
#include "models/network/transformer.hpp"

namespace slipstream {

/// Consecutive tokens of one sequence to compute, from position `first` on; its pages hold what comes before.
struct token_run {
  const block_table *pages = nullptr;
  std::int64_t first = 0;
  std::span<const std::int64_t> ids;
};

/// One forward pass over all runs: writes their keys and values into their (writable) pages and returns the
/// logits [runs, vocab] after each run's last token, float32 on the host; perhaps in `room`.
at::Tensor next_logits(const transformer &model, paged_cache &cache, const std::vector<token_run> &runs,
                       std::vector<float> &room);

}  // namespace slipstream
