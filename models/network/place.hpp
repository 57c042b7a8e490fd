#pragma once

#include <memory>
#include <string>

#include "models/network/transformer.hpp"

namespace slipstream {

/// Throws input_error unless LibTorch can compute on `device` ("cpu", "cuda", "cuda:1") here.
void require_device(const std::string &device);

/// The same weights on another device or under other numerics; the very same object when nothing differs.
std::shared_ptr<const transformer> place(std::shared_ptr<const transformer> model, const std::string &device,
                                         numerics mode);

}  // namespace slipstream
