#include "models/engine/paged_cache.hpp"

#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
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
  keys_.resize(layers);
  values_.resize(layers);
}

bool paged_cache::in_blocks() const {
  return options_.device().is_cpu() && options_.dtype() == at::kFloat;
}

std::int64_t paged_cache::key_floats() const {
  return shape_.kv_heads *
         static_cast<std::int64_t>(arithmetic::key_block_size(static_cast<std::size_t>(shape_.head_dim)));
}
std::int64_t paged_cache::value_floats() const {
  return shape_.kv_heads *
         static_cast<std::int64_t>(arithmetic::value_block_size(static_cast<std::size_t>(shape_.head_dim)));
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
  if (in_blocks()) {
    copy_blocks();
  } else {
    const at::Tensor from = index_tensor(copy_from_, options_.device());
    const at::Tensor to = index_tensor(copy_to_, options_.device());
    for (auto *layers : {&keys_, &values_})
      for (at::Tensor &layer : *layers) layer.index_copy_(0, to, layer.index_select(0, from));
  }
  copy_from_.clear();
  copy_to_.clear();
}

void paged_cache::copy_blocks() {
  for (std::size_t i = 0; i < copy_from_.size(); ++i)
    for (std::int64_t layer = 0; layer < shape_.layers; ++layer) {
      std::copy_n(key_blocks(layer, copy_from_[i]), key_floats(), key_blocks(layer, copy_to_[i]));
      std::copy_n(value_blocks(layer, copy_from_[i]), value_floats(), value_blocks(layer, copy_to_[i]));
    }
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
  in_blocks() ? add_blocks(added) : add_pages(added);
  references_.resize(static_cast<std::size_t>(before + added), 0);
  for (std::int64_t page = before + added; page-- > before;) free_.push_back(page);
}

// One chunk of [layers][pages][kv_heads][block] of keys, then one of values.
void paged_cache::add_blocks(std::int64_t count) {
  const std::int64_t key_stride = count * key_floats(), value_stride = count * value_floats();
  chunks_.push_back(at::empty({shape_.layers * (key_stride + value_stride)}, options_));
  float *keys = chunks_.back().data_ptr<float>(), *values = keys + shape_.layers * key_stride;
  for (std::int64_t page = 0; page < count; ++page)
    block_pages_.push_back(
        {keys + page * key_floats(), values + page * value_floats(), key_stride, value_stride});
}

// Zeros, because a gathered page's unwritten rows meet a weight of zero, which would not cancel a NaN.
void paged_cache::add_pages(std::int64_t count) {
  const at::Tensor more = at::zeros({count, shape_.page_size, shape_.kv_heads, shape_.head_dim}, options_);
  for (auto *layers : {&keys_, &values_})
    for (at::Tensor &layer : *layers) layer = layer.defined() ? at::cat({layer, more}) : more.clone();
}

}  // namespace slipstream
