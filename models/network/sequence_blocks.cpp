#include "models/network/sequence_blocks.hpp"

#include <algorithm>

#include "models/arithmetic/attention.hpp"
#include "models/arithmetic/parallel.hpp"

namespace slipstream {
namespace {

using arithmetic::block_tokens;

std::size_t size(std::int64_t n) {
  return static_cast<std::size_t>(n);
}

// One key head of one run in blocks; the prefix is copied in front.
class run_blocks {
 public:
  void fill(const attention_rows &rows, const attended_run &run, std::int64_t kv_head) {
    const std::size_t dim = size(rows.head_dim), stride = size(rows.kv_heads) * dim;
    const std::size_t tokens = size(run.prefix.count + run.count),
                      blocks = (tokens + block_tokens - 1) / block_tokens;
    const std::size_t key_size = arithmetic::key_block_size(dim),
                      value_size = arithmetic::value_block_size(dim);
    keys_.resize(std::max(keys_.size(), blocks * key_size));
    values_.resize(std::max(values_.size(), blocks * value_size));
    key_blocks_.clear();
    value_blocks_.clear();
    for (std::size_t b = 0; b < blocks; ++b) {
      key_blocks_.push_back(keys_.data() + b * key_size);
      value_blocks_.push_back(values_.data() + b * value_size);
    }
    for (std::size_t t = 0; t < tokens; ++t) {
      const std::int64_t token = static_cast<std::int64_t>(t);
      const std::int64_t row =
          token < run.prefix.count ? run.prefix.first + token : run.first + token - run.prefix.count;
      const std::size_t from = size(row) * stride + size(kv_head) * dim, block = t / block_tokens;
      arithmetic::write_key(rows.k + from, dim, t % block_tokens, keys_.data() + block * key_size);
      arithmetic::write_value(rows.v + from, dim, t % block_tokens, values_.data() + block * value_size);
    }
  }
  arithmetic::head_blocks blocks() const { return {key_blocks_.data(), value_blocks_.data()}; }

 private:
  std::vector<float> keys_, values_;
  std::vector<const float *> key_blocks_, value_blocks_;
};

void attend_run(const attention_rows &rows, const attended_run &run, std::int64_t window,
                std::int64_t kv_head, float *out) {
  thread_local run_blocks cache;
  thread_local std::vector<arithmetic::attending_row> queries;
  cache.fill(rows, run, kv_head);
  const std::int64_t share = rows.heads / rows.kv_heads, dim = rows.head_dim;
  queries.clear();
  for (std::int64_t i = 0; i < run.count; ++i) {
    const std::int64_t last = run.prefix.count + i + 1,
                       first = window > 0 ? std::max<std::int64_t>(0, last - window) : 0;
    for (std::int64_t head = kv_head * share; head < (kv_head + 1) * share; ++head) {
      const std::int64_t at = ((run.first + i) * rows.heads + head) * dim;
      queries.push_back({rows.q + at, out + at, size(first), size(last)});
    }
  }
  arithmetic::attend(queries.data(), queries.size(), cache.blocks(), size(dim));
}

}  // namespace

void attend_runs(const attention_rows &rows, const std::vector<attended_run> &runs, std::int64_t window,
                 float *out) {
  double cost = 0;
  for (const auto &run : runs)
    cost += static_cast<double>(run.count * (run.prefix.count + run.count) * rows.heads * rows.head_dim);
  arithmetic::share(runs.size() * size(rows.kv_heads), cost, [&](std::size_t i) {
    attend_run(rows, runs[i / size(rows.kv_heads)], window, static_cast<std::int64_t>(i) % rows.kv_heads,
               out);
  });
}

}  // namespace slipstream
