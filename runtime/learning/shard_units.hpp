#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <map>
#include <utility>
#include <vector>

#include "models/network/spec.hpp"

// What a sharded_model is made of.
namespace slipstream {

/// Memory for tensors that keep their place while they have none, as FSDP resizes storages. What is given
/// back is used again: fresh pages would have to be mapped by the kernel in each pass.
class memory_pool {
 public:
  static at::Tensor without_memory(std::int64_t count, const at::TensorOptions &options);
  void fill(const at::Tensor &tensor);
  void drop(const at::Tensor &tensor);
  /// Bytes given out and to be used again.
  std::size_t held() const { return held_; }

 private:
  std::map<std::size_t, std::vector<at::DataPtr>> unused_;
  std::size_t held_ = 0;
};

/// A stretch of the flat buffer that comes and goes as one.
struct shard_unit {
  std::int64_t first = 0, count = 0;
  std::int64_t own_first = 0;       ///< where this rank's part stands among its own
  at::Tensor values{}, gradient{};  ///< [count], with memory while they are here
  bool here = false;
  std::function<void()> arriving{}, reducing{};

  std::pair<std::int64_t, std::int64_t> part(std::int64_t rank, std::int64_t ranks) const {
    const auto begin = count * rank / ranks;
    return {begin, count * (rank + 1) / ranks - begin};
  }
};

/// What is before the layers, each layer, what is behind them.
std::vector<shard_unit> shard_units(const model_spec &spec);

}  // namespace slipstream
