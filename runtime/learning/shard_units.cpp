#include "runtime/learning/shard_units.hpp"

#include <ATen/ATen.h>
#include <c10/core/DeviceGuard.h>

#include "models/network/transformer.hpp"

namespace slipstream {
namespace {

c10::StorageImpl *storage_of(const at::Tensor &tensor) {
  return tensor.storage().unsafeGetStorageImpl();
}

}  // namespace

at::Tensor memory_pool::without_memory(std::int64_t count, const at::TensorOptions &options) {
  auto tensor = at::empty({0}, options);
  storage_of(tensor)->set_nbytes(static_cast<std::size_t>(count) * tensor.element_size());
  tensor.unsafeGetTensorImpl()->set_sizes_contiguous({count});
  return tensor;
}

void memory_pool::fill(const at::Tensor &tensor) {
  auto *storage = storage_of(tensor);
  auto &unused = unused_[storage->nbytes()];
  if (unused.empty()) {
    const c10::DeviceGuard there(tensor.device());
    unused.push_back(storage->allocator()->allocate(storage->nbytes()));
    held_ += storage->nbytes();
  }
  storage->set_data_ptr(std::move(unused.back()));
  unused.pop_back();
}

void memory_pool::drop(const at::Tensor &tensor) {
  auto *storage = storage_of(tensor);
  unused_[storage->nbytes()].push_back(storage->set_data_ptr(at::DataPtr(nullptr, tensor.device())));
}

std::vector<shard_unit> shard_units(const model_spec &spec) {
  std::vector<shard_unit> units;
  std::int64_t next = 0;
  const auto add = [&](std::int64_t first, std::int64_t count) {
    units.emplace_back();
    units.back().first = first, units.back().count = count;
    next = first + count;
  };
  const auto layers = layer_ranges(spec);
  add(0, layers.front().first);
  for (const auto &[first, count] : layers) add(first, count);
  add(next, parameter_count(spec) - next);
  return units;
}

}  // namespace slipstream
