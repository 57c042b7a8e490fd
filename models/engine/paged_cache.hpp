#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace slipstream {

/// The pages of one sequence in order: its token t lies in page pages[t / page_size].
using block_table = std::vector<std::int64_t>;

struct cache_shape {
  std::int64_t layers = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t page_size = 16;  ///< tokens a page holds, 1 to 16
  std::int64_t capacity = 0;    ///< pages there can be at most
};

/// Keys and values of many sequences in fixed-size pages that sequences may share (Kwon et al. 2023). Pages
/// are reference-counted: a sequence that writes into a shared page gets its own copy first. Memory grows as
/// pages are needed, and freed pages are used again.
class paged_cache {
 public:
  /// `options` give dtype and device of the pages.
  paged_cache(cache_shape shape, at::TensorOptions options);

  const cache_shape &shape() const { return shape_; }
  /// Pages that `tokens` tokens need.
  std::int64_t pages_for(std::int64_t tokens) const;

  /// Makes tokens [first, last) of a sequence writable: adds pages and replaces shared ones by copies, which
  /// are filled by the next copy_pages(). Throws run_error when no page is left.
  void make_writable(block_table &pages, std::int64_t first, std::int64_t last);
  void copy_pages();

  /// Another sequence over the same pages.
  block_table share(const block_table &pages);
  /// Frees a sequence's pages and leaves its table empty.
  void release(block_table &pages);

  std::int64_t used_pages() const;
  std::int64_t allocated_pages() const { return static_cast<std::int64_t>(references_.size()); }

  /// Whether pages hold blocks as arithmetic::attend reads them, one a key head: on the CPU in float32.
  bool in_blocks() const;
  /// The blocks [kv_heads][block] of one page in one layer; in blocks only.
  float *key_blocks(std::int64_t layer, std::int64_t page) const {
    const block_page &own = block_pages_[static_cast<std::size_t>(page)];
    return own.keys + layer * own.key_stride;
  }
  float *value_blocks(std::int64_t layer, std::int64_t page) const {
    const block_page &own = block_pages_[static_cast<std::size_t>(page)];
    return own.values + layer * own.value_stride;
  }
  /// [allocated pages, page_size, kv_heads, head_dim] of one layer, not in blocks; valid until the next
  /// make_writable().
  const at::Tensor &keys(std::int64_t layer) const { return keys_[static_cast<std::size_t>(layer)]; }
  const at::Tensor &values(std::int64_t layer) const { return values_[static_cast<std::size_t>(layer)]; }

 private:
  /// Where a page's blocks in the first layer lie, and how far those of the next layer are, floats.
  struct block_page {
    float *keys = nullptr, *values = nullptr;
    std::int64_t key_stride = 0, value_stride = 0;
  };

  std::int64_t take_page();
  void grow();
  void add_blocks(std::int64_t count);
  void add_pages(std::int64_t count);
  void copy_blocks();
  std::int64_t key_floats() const;
  std::int64_t value_floats() const;

  cache_shape shape_;
  at::TensorOptions options_;
  std::vector<at::Tensor> keys_, values_;  // by layer; not in blocks
  std::vector<at::Tensor> chunks_;         // the memory of blocks: what is there stays where it is
  std::vector<block_page> block_pages_;
  std::vector<std::int32_t> references_;  // of each allocated page
  std::vector<std::int64_t> free_;        // allocated pages without a reference
  std::vector<std::int64_t> copy_from_, copy_to_;
};

}  // namespace slipstream
