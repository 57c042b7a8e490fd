#pragma once

#include <cstdint>
#include <vector>

#include "models/network/transformer.hpp"

namespace slipstream {

/// A CRC-32 of each tensor that trains, in the order of the model's trainable_layout().
std::vector<std::uint32_t> fingerprint(const transformer &model);

}  // namespace slipstream
