#include "models/engine/paged_attention.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "models/arithmetic/attention.hpp"
#include "models/arithmetic/parallel.hpp"

namespace slipstream {
namespace {

// Rows of a prompt that one thread takes at once: the others have some, too.
constexpr std::int64_t rows_together = 64;

at::Tensor on_device(const std::vector<std::int64_t> &values, const at::Tensor &like) {
  return at::tensor(values, at::kLong).to(like.device());
}

}  // namespace

paged_attention::paged_attention(paged_cache &cache, std::vector<cached_run> runs)
    : cache_(cache), runs_(std::move(runs)) {
  by_rows_ = cache_.in_blocks();
  const std::int64_t page_size = cache_.shape().page_size;
  std::int64_t rows = 0;
  for (const cached_run &run : runs_) {
    first_rows_.push_back(rows);
    rows += run.count;
    for (std::int64_t t = 0; t < run.count; t += rows_together)
      ranges_.push_back({first_rows_.size() - 1, t, std::min(rows_together, run.count - t)});
    for (std::int64_t t = run.first; t < run.first + run.count; ++t)
      slots_.push_back((*run.pages)[static_cast<std::size_t>(t / page_size)] * page_size + t % page_size);
  }
  if (!by_rows_) prepare_groups();
}

at::Tensor paged_attention::attend(std::int64_t layer, std::int64_t window, const at::Tensor &q,
                                   const at::Tensor &k, const at::Tensor &v) {
  at::Tensor out = at::empty_like(q, at::MemoryFormat::Contiguous);
  if (by_rows_) {
    const at::Tensor all = at::cat({q, k, v}, 1);
    const float *rows = all.data_ptr<float>(), *keys = rows + q.size(1) * q.size(2),
                *values = keys + k.size(1) * k.size(2);
    attend_rows(layer, window,
                {rows, keys, values, all.size(1) * all.size(2), q.size(0), q.size(1), k.size(1), q.size(2)},
                out.data_ptr<float>());
    return out;
  }
  for (const auto &[pages, rows] : {std::pair(cache_.keys(layer), k), std::pair(cache_.values(layer), v)})
    pages.flatten(0, 1).index_copy_(0, slots_tensor_, rows);
  for (const padded_group &group : groups_)
    out.index_copy_(0, group.rows, attend_group(layer, window, group, q));
  return out;
}

void paged_attention::attend_rows(std::int64_t layer, std::int64_t window, const plain_rows &in, float *out) {
  write_rows(layer, in);
  const auto kv_heads = static_cast<std::size_t>(in.kv_heads);
  std::int64_t steps = 0;
  for (const cached_run &run : runs_) steps += run.count * (run.first + run.count);
  const double cost = static_cast<double>(steps * in.heads * in.head_dim);
  arithmetic::share_range(ranges_.size() * kv_heads, cost, [&](std::size_t first, std::size_t last) {
    for (std::size_t i = first; i < last; ++i)
      attend_head(layer, window, ranges_[i / kv_heads], i % kv_heads, in, out);
  });
}

void paged_attention::write_rows(std::int64_t layer, const plain_rows &in) const {
  const auto heads = static_cast<std::size_t>(in.kv_heads), dim = static_cast<std::size_t>(in.head_dim),
             stride = static_cast<std::size_t>(in.stride);
  const std::size_t key_size = arithmetic::key_block_size(dim),
                    value_size = arithmetic::value_block_size(dim);
  float *keys = cache_.keys(layer).data_ptr<float>(), *values = cache_.values(layer).data_ptr<float>();
  const std::int64_t page_size = cache_.shape().page_size;
  const double cost = 8.0 * static_cast<double>(slots_.size() * heads * dim);
  arithmetic::share_range(slots_.size(), cost, [&](std::size_t first, std::size_t last) {
    for (std::size_t row = first; row < last; ++row) {
      const auto page = static_cast<std::size_t>(slots_[row] / page_size),
                 place = static_cast<std::size_t>(slots_[row] % page_size);
      for (std::size_t head = 0; head < heads; ++head) {
        const std::size_t from = row * stride + head * dim, to = page * heads + head;
        arithmetic::write_key(in.k + from, dim, place, keys + to * key_size);
        arithmetic::write_value(in.v + from, dim, place, values + to * value_size);
      }
    }
  });
}

// Some of one run's rows, of the query heads that read one key head.
void paged_attention::attend_head(std::int64_t layer, std::int64_t window, const row_range &range,
                                  std::size_t kv_head, const plain_rows &in, float *out) const {
  thread_local std::vector<const float *> keys, values;
  thread_local std::vector<arithmetic::attending_row> rows;
  const cached_run &run = runs_[range.run];
  const auto dim = static_cast<std::size_t>(in.head_dim), kv_heads = static_cast<std::size_t>(in.kv_heads),
             heads = static_cast<std::size_t>(in.heads), share = heads / kv_heads;
  const std::size_t key_size = arithmetic::key_block_size(dim),
                    value_size = arithmetic::value_block_size(dim);
  const float *all_keys = cache_.keys(layer).data_ptr<float>(),
              *all_values = cache_.values(layer).data_ptr<float>();
  keys.clear();
  values.clear();
  for (const std::int64_t id : *run.pages) {
    const std::size_t block = static_cast<std::size_t>(id) * kv_heads + kv_head;
    keys.push_back(all_keys + block * key_size);
    values.push_back(all_values + block * value_size);
  }
  rows.clear();
  for (std::int64_t t = range.first; t < range.first + range.count; ++t) {
    const std::int64_t last = run.first + t + 1,
                       first = window > 0 ? std::max<std::int64_t>(0, last - window) : 0;
    const auto row = static_cast<std::size_t>(first_rows_[range.run] + t);
    for (std::size_t head = kv_head * share; head < (kv_head + 1) * share; ++head)
      rows.push_back({in.q + row * static_cast<std::size_t>(in.stride) + head * dim,
                      out + (row * heads + head) * dim, static_cast<std::size_t>(first),
                      static_cast<std::size_t>(last)});
  }
  const auto tokens = static_cast<std::size_t>(cache_.shape().page_size);
  arithmetic::attend(rows.data(), rows.size(), {keys.data(), values.data(), 0, 0, tokens}, dim);
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
