#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include "models/engine/paged_cache.hpp"
#include "models/network/transformer.hpp"

namespace slipstream {

/// `count` consecutive tokens of one sequence, from position `first` on, whose rows are computed now.
struct cached_run {
  const block_table *pages = nullptr;
  std::int64_t first = 0;
  std::int64_t count = 0;
};

/// Attention over a paged cache. The rows are those of the runs one after another: their keys and values are
/// written into the (already writable) pages, then every row attends causally to its own sequence. On the CPU
/// in float32 a row's result depends on its sequence alone, to the bit; elsewhere the pages are gathered into
/// padded tensors. Good for one forward pass; the cache must not change meanwhile.
class paged_attention : public attention {
 public:
  paged_attention(paged_cache &cache, std::vector<cached_run> runs);

  at::Tensor attend(std::int64_t layer, std::int64_t window, const at::Tensor &q, const at::Tensor &k,
                    const at::Tensor &v) override;
  bool takes_rows() const override { return by_rows_; }
  void attend_rows(std::int64_t layer, std::int64_t window, const plain_rows &in, float *out) override;

 private:
  /// Rows of one run that one thread takes together.
  struct row_range {
    std::size_t run = 0;
    std::int64_t first = 0, count = 0;
  };
  /// Runs of one length, padded to the longest sequence among them.
  struct padded_group {
    std::int64_t sequences = 0, count = 0, tokens = 0;
    at::Tensor rows;      // [sequences*count] which of the rows they are
    at::Tensor pages;     // [sequences*pages] tables filled up with any page
    at::Tensor distance;  // [sequences,1,1,count,tokens] from each key to the row's position, tokens
  };

  void write_rows(std::int64_t layer, const plain_rows &in) const;
  void attend_head(std::int64_t layer, std::int64_t window, const row_range &rows, std::size_t kv_head,
                   const plain_rows &in, float *out) const;
  void prepare_groups();
  padded_group padded(std::int64_t count, const std::vector<std::size_t> &members) const;
  at::Tensor attend_group(std::int64_t layer, std::int64_t window, const padded_group &group,
                          const at::Tensor &q) const;

  paged_cache &cache_;
  std::vector<cached_run> runs_;
  std::vector<std::int64_t> first_rows_;  // of each run
  std::vector<row_range> ranges_;
  std::vector<std::int64_t> slots_;  // of each row: page * page_size + place in the page
  bool by_rows_ = true;
  at::Tensor slots_tensor_;  // the same on the device, and the groups, unless by_rows_
  std::vector<padded_group> groups_;
};

}  // namespace slipstream
