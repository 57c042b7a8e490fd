#pragma once

#include <vector>

#include "runtime/topology/topology.hpp"

namespace slipstream {

/// Reads [models.*] of a topology document, in the order of the file. Throws input_error at the faulty key.
std::vector<model_config> read_models(const node &document);

}  // namespace slipstream
