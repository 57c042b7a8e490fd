#pragma once

#include <string>
#include <vector>

#include "models/engine/engine.hpp"

namespace slipstream {

/// Throws input_error that names the request and says why.
[[noreturn]] void refuse_request(const generation_request &request, const std::string &why);

/// Whether a model can do what a request asks for.
void check_request(const generation_request &request, const model_spec &spec);

/// Whether the request's samples can have begun with this: one entry each (or none at all), whole, and none
/// that is to go on behind its end.
void check_begun(const generation_request &request, const std::vector<partial_generation> &begun,
                 const model_spec &spec);

}  // namespace slipstream
