#include "models/engine/paged_attention.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>

#include "models/network/kernels.hpp"

namespace slipstream {
namespace {

at::Tensor on_device(const std::vector<std::int64_t> &values, const at::Tensor &like) {
  return at::tensor(values, at::kLong).to(like.device());
}

}  // namespace

paged_attention::paged_attention(paged_cache &cache, std::vector<cached_run> runs)
    : cache_(cache), runs_(std::move(runs)) {
  const at::Tensor &keys = cache_.keys(0);
  by_rows_ = keys.is_cpu() && keys.scalar_type() == at::kFloat;
  const std::int64_t page_size = cache_.shape().page_size;
  std::int64_t rows = 0;
  for (const cached_run &run : runs_) {
    first_rows_.push_back(rows);
    rows += run.count;
    for (std::int64_t t = run.first; t < run.first + run.count; ++t)
      slots_.push_back((*run.pages)[static_cast<std::size_t>(t / page_size)] * page_size + t % page_size);
  }
  if (!by_rows_) prepare_groups();
}

at::Tensor paged_attention::attend(std::int64_t layer, std::int64_t window, const at::Tensor &q,
                                   const at::Tensor &k, const at::Tensor &v) {
  if (by_rows_) {
    write_rows(cache_.keys(layer), k.contiguous());
    write_rows(cache_.values(layer), v.contiguous());
    return attend_rows(layer, window, q.contiguous());
  }
  for (const auto &[pages, rows] : {std::pair(cache_.keys(layer), k), std::pair(cache_.values(layer), v)})
    pages.flatten(0, 1).index_copy_(0, slots_tensor_, rows);
  at::Tensor out = at::empty_like(q);
  for (const padded_group &group : groups_)
    out.index_copy_(0, group.rows, attend_group(layer, window, group, q));
  return out;
}

void paged_attention::write_rows(const at::Tensor &pages, const at::Tensor &rows) const {
  const std::int64_t width = cache_.shape().kv_heads * cache_.shape().head_dim;
  const float *from = rows.data_ptr<float>();
  float *to = pages.data_ptr<float>();
  for (const std::int64_t slot : slots_) {
    std::memcpy(to + slot * width, from, static_cast<std::size_t>(width) * sizeof(float));
    from += width;
  }
}

at::Tensor paged_attention::attend_rows(std::int64_t layer, std::int64_t window, const at::Tensor &q) const {
  const cache_shape &shape = cache_.shape();
  const std::int64_t stride = shape.kv_heads * shape.head_dim, page = shape.page_size * stride;
  const float *all_keys = cache_.keys(layer).data_ptr<float>();
  const float *all_values = cache_.values(layer).data_ptr<float>();
  const std::int64_t heads = q.size(1), width = heads * shape.head_dim;
  at::Tensor out = at::empty_like(q);
  const float *query = q.data_ptr<float>();
  float *result = out.data_ptr<float>();
  std::vector<const float *> keys, values;
  for (const cached_run &run : runs_) {
    keys.clear();
    values.clear();
    for (const std::int64_t id : *run.pages) {
      keys.push_back(all_keys + id * page);
      values.push_back(all_values + id * page);
    }
    const kernels::key_values cached{keys.data(), values.data(), shape.page_size, stride};
    for (std::int64_t t = run.first; t < run.first + run.count; ++t, query += width, result += width) {
      const std::int64_t first = window > 0 ? std::max<std::int64_t>(0, t + 1 - window) : 0;
      kernels::attend_row(query, cached, first, t + 1, heads, shape.kv_heads, shape.head_dim, result);
    }
  }
  return out;
}

void paged_attention::prepare_groups() {
  slots_tensor_ = on_device(slots_, cache_.keys(0));
  std::map<std::int64_t, std::vector<std::size_t>> by_count;
  for (std::size_t i = 0; i < runs_.size(); ++i) by_count[runs_[i].count].push_back(i);
  for (const auto &[count, members] : by_count) groups_.push_back(padded(count, members));
}

paged_attention::padded_group paged_attention::padded(std::int64_t count,
                                                      const std::vector<std::size_t> &members) const {
  const at::Tensor &keys = cache_.keys(0);
  std::size_t width = 0;
  for (const std::size_t i : members)
    width = std::max(width, static_cast<std::size_t>(cache_.pages_for(runs_[i].first + count)));
  std::vector<std::int64_t> rows, pages, positions;
  for (const std::size_t i : members) {
    block_table table = *runs_[i].pages;
    table.resize(width, table.front());
    pages.insert(pages.end(), table.begin(), table.end());
    for (std::int64_t r = 0; r < count; ++r) {
      rows.push_back(first_rows_[i] + r);
      positions.push_back(runs_[i].first + r);
    }
  }
  padded_group group;
  group.sequences = static_cast<std::int64_t>(members.size());
  group.count = count;
  group.tokens = static_cast<std::int64_t>(width) * cache_.shape().page_size;
  group.rows = on_device(rows, keys);
  group.pages = on_device(pages, keys);
  const at::Tensor key_positions = at::arange(group.tokens, group.rows.options());
  group.distance = on_device(positions, keys).view({group.sequences, 1, 1, count, 1}) - key_positions;
  return group;
}

at::Tensor paged_attention::attend_group(std::int64_t layer, std::int64_t window, const padded_group &group,
                                         const at::Tensor &q) const {
  const std::int64_t kv = cache_.shape().kv_heads, dim = cache_.shape().head_dim, share = q.size(1) / kv;
  const auto gathered = [&](const at::Tensor &pages) {
    return pages.index_select(0, group.pages)
        .view({group.sequences, group.tokens, kv, dim})
        .transpose(1, 2)
        .unsqueeze(2);  // [S,KV,1,tokens,dim]
  };
  const at::Tensor queries = q.index_select(0, group.rows)
                                 .view({group.sequences, group.count, kv, share, dim})
                                 .permute({0, 2, 3, 1, 4});  // [S,KV,share,count,dim]
  const at::Tensor keys = gathered(cache_.keys(layer)), values = gathered(cache_.values(layer));
  at::Tensor scores = at::matmul(queries, keys.transpose(3, 4)) * (1.0 / std::sqrt(static_cast<double>(dim)));
  at::Tensor unseen = group.distance.lt(0);
  if (window > 0) unseen = unseen.logical_or(group.distance.ge(window));
  scores = scores.masked_fill(unseen, -std::numeric_limits<double>::infinity());
  const at::Tensor mixed = at::matmul(at::softmax(scores, -1), values);
  return mixed.permute({0, 3, 1, 2, 4}).reshape({group.sequences * group.count, kv * share, dim});
}

}  // namespace slipstream
