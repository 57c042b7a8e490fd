#pragma once

#include "runtime/learning/parameter_store.hpp"

namespace slipstream {

/// Elements of the trained parameters on which weight decay acts: matrices, not norms and biases.
at::Tensor decay_mask(const transformer &model);

/// Each rank has the whole parameters and gradient; with ZeRO-1 it keeps a shard of the moments.
std::unique_ptr<parameter_store> make_whole_store(storage_options options, const transformer &initial);
/// ZeRO-3: each rank keeps a shard of everything.
std::unique_ptr<parameter_store> make_sharded_store(storage_options options, const transformer &initial);

}  // namespace slipstream
