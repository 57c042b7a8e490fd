#pragma once

#include <vector>

#include "runtime/run_folder/inputs.hpp"
#include "runtime/topology/topology.hpp"

namespace slipstream {

/// The files that a topology's runs read: datasets, chat templates, and of each model that comes from a
/// folder its configuration, weights and tokenizer, as far as they are there.
std::vector<run_input> inputs_of(const topology &graph);

}  // namespace slipstream
