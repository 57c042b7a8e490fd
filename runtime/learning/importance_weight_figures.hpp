#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "runtime/types.hpp"

namespace slipstream {

/// {"weight_p05", "weight_p50", "weight_p95", "weight_p99"}: the smallest weight that so many percent of all
/// do not exceed. `parts` are 1-D, one a micro-batch; empty without any weight.
nlohmann::json weight_quantiles(const std::vector<at::Tensor> &parts);

/// What the samples say beside batch_figures: {"truncated"} share of answers cut at the limit,
/// {"staleness_histogram": {age: share of tokens}}, and {"reward.NAME"} the mean of each scorer. Keys without
/// data are absent.
nlohmann::json sample_shares(const std::vector<sample_group_ptr> &batch, std::int64_t version);

}  // namespace slipstream
