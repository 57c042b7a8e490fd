#include "models/engine/forward.hpp"

#include <ATen/ops/tensor.h>

#include "models/engine/paged_attention.hpp"

namespace slipstream {

at::Tensor next_logits(const transformer &model, paged_cache &cache, const std::vector<token_run> &runs,
                       std::vector<float> &room) {
  std::vector<std::int64_t> ids, positions, last_rows;
  std::vector<cached_run> cached;
  for (const token_run &run : runs) {
    ids.insert(ids.end(), run.ids.begin(), run.ids.end());
    const auto count = static_cast<std::int64_t>(run.ids.size());
    for (std::int64_t t = 0; t < count; ++t) positions.push_back(run.first + t);
    last_rows.push_back(static_cast<std::int64_t>(ids.size()) - 1);
    cached.push_back({run.pages, run.first, count});
  }
  const at::Device device = model.flat().device();
  const auto moved = [&](const std::vector<std::int64_t> &values) {
    return at::tensor(values, at::kLong).to(device);
  };
  paged_attention how(cache, std::move(cached));
  at::Tensor hidden = model.hidden(moved(ids), moved(positions), how);
  if (last_rows.size() < ids.size()) hidden = hidden.index_select(0, moved(last_rows));
  return model.logits(hidden, room).to(at::kCPU, at::kFloat).contiguous();
}

}  // namespace slipstream
