#pragma once

#include <vector>

#include "runtime/types.hpp"

namespace slipstream {

/// Over what the advantages of a batch are whitened: not at all, over all its trained tokens (REINFORCE++),
/// or over its sequences, whose tokens share one advantage (REINFORCE++ with a baseline).
enum class whitening_scope { none, tokens, sequences };

/// The batch with advantages (a - mean) / sqrt(population variance + 1e-8), where the statistics are taken
/// over the whole of it. Groups without advantages stay as they are.
std::vector<sample_group_ptr> whitened(const std::vector<sample_group_ptr> &batch, whitening_scope over);

}  // namespace slipstream
