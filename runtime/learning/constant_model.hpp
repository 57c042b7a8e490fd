#pragma once

#include <ATen/core/Tensor.h>

#include <memory>

#include "models/network/batch.hpp"
#include "models/network/transformer.hpp"
#include "runtime/learning/sharded_model.hpp"

namespace slipstream {

/// A model that a learner computes log-probabilities with and does not train by that: the reference, the
/// policy that a critic's returns are of, its own as the batch found it. Each rank has it whole or has a
/// shard of it (ZeRO-3).
class constant_model {
 public:
  constant_model() = default;
  explicit constant_model(std::shared_ptr<const transformer> network,
                          std::shared_ptr<sharded_model> shards = nullptr)
      : network_(std::move(network)), shards_(std::move(shards)) {}

  explicit operator bool() const { return network_ != nullptr; }
  /// [B,T] of the tokens given. All ranks compute at once; one that has none calls idle_pass().
  at::Tensor logprobs(const token_batch &tokens, double temperature) const;
  void idle_pass() const;

 private:
  std::shared_ptr<const transformer> network_;
  std::shared_ptr<sharded_model> shards_;  ///< null where this rank has all of it
};

}  // namespace slipstream
