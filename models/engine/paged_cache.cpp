#include "models/engine/paged_cache.hpp"

#include <ATen/ops/cat.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <string>

#include "models/arithmetic/attention.hpp"
#include "models/error.hpp"

namespace slipstream {
namespace {

constexpr std::int64_t smallest_growth = 16;

at::Tensor index_tensor(std::vector<std::int64_t> &indices, const at::Device &device) {
  return at::from_blob(indices.data(), {static_cast<std::int64_t>(indices.size())}, at::kLong)
      .to(device, at::kLong, /*non_blocking=*/false, /*copy=*/true);
}

}  // namespace

paged_cache::paged_cache(cache_shape shape, at::TensorOptions options) : shape_(shape), options_(options) {
  const auto layers = static_cast<std::size_t>(shape.layers);
  if (shape.page_size < 1 || shape.page_size > static_cast<std::int64_t>(arithmetic::block_tokens))
    throw input_error("a cache page holds 1 to 16 tokens, not " + std::to_string(shape.page_size));
  keys_.assign(layers, empty_pages(0, true));
  values_.assign(layers, empty_pages(0, false));
}

bool paged_cache::in_blocks() const {
  return options_.device().is_cpu() && options_.dtype() == at::kFloat;
}

// Zeros, because a gathered page's unwritten rows meet a weight of zero, which would not cancel a NaN.
at::Tensor paged_cache::empty_pages(std::int64_t count, bool keys) const {
  if (!in_blocks()) return at::zeros({count, shape_.page_size, shape_.kv_heads, shape_.head_dim}, options_);
  const auto dim = static_cast<std::size_t>(shape_.head_dim);
  const auto block = keys ? arithmetic::key_block_size(dim) : arithmetic::value_block_size(dim);
  return at::zeros({count, shape_.kv_heads, static_cast<std::int64_t>(block)}, options_);
}

std::int64_t paged_cache::pages_for(std::int64_t tokens) const {
  return (tokens + shape_.page_size - 1) / shape_.page_size;
}

void paged_cache::make_writable(block_table &pages, std::int64_t first, std::int64_t last) {
  const auto end = static_cast<std::size_t>(pages_for(last));
  for (auto i = static_cast<std::size_t>(first / shape_.page_size); i < end; ++i) {
    if (i >= pages.size()) {
      pages.push_back(take_page());
    } else if (auto &held = references_[static_cast<std::size_t>(pages[i])]; held > 1) {
      --held;  // before take_page(), which may move the counts
      copy_from_.push_back(pages[i]);
      copy_to_.push_back(pages[i] = take_page());
    }
  }
}

void paged_cache::copy_pages() {
  if (copy_from_.empty()) return;
  const at::Tensor from = index_tensor(copy_from_, options_.device());
  const at::Tensor to = index_tensor(copy_to_, options_.device());
  for (auto *layers : {&keys_, &values_})
    for (at::Tensor &layer : *layers) layer.index_copy_(0, to, layer.index_select(0, from));
  copy_from_.clear();
  copy_to_.clear();
}

block_table paged_cache::share(const block_table &pages) {
  for (const std::int64_t page : pages) ++references_[static_cast<std::size_t>(page)];
  return pages;
}

void paged_cache::release(block_table &pages) {
  for (const std::int64_t page : pages)
    if (--references_[static_cast<std::size_t>(page)] == 0) free_.push_back(page);
  pages.clear();
}

std::int64_t paged_cache::used_pages() const {
  return static_cast<std::int64_t>(references_.size() - free_.size());
}

std::int64_t paged_cache::take_page() {
  if (free_.empty()) grow();
  const std::int64_t page = free_.back();
  free_.pop_back();
  references_[static_cast<std::size_t>(page)] = 1;
  return page;
}

void paged_cache::grow() {
  const auto before = static_cast<std::int64_t>(references_.size());
  const std::int64_t added = std::min(std::max(before, smallest_growth), shape_.capacity - before);
  if (added <= 0) throw run_error("all " + std::to_string(shape_.capacity) + " cache pages are in use");
  const at::Tensor more_keys = empty_pages(added, true), more_values = empty_pages(added, false);
  for (at::Tensor &layer : keys_) layer = at::cat({layer, more_keys});
  for (at::Tensor &layer : values_) layer = at::cat({layer, more_values});
  references_.resize(static_cast<std::size_t>(before + added), 0);
  for (std::int64_t page = before + added; page-- > before;) free_.push_back(page);
}

}  // namespace slipstream
