#pragma once

#include <string>
#include <vector>

#include "models/engine/engine.hpp"

namespace slipstream {

/// Throws input_error that names the request and says why.
[[noreturn]] void refuse_request(const generation_request &request, const std::string &why);

/// Whether a model can do what a request asks for.
void check_request(const generation_request &request, const model_spec &spec);

/// Whether the request's samples can have begun with these tokens: there is one entry for each sample, or
/// none at all, every entry is complete, and no sample continues after its end token.
void check_begun(const generation_request &request, const std::vector<partial_generation> &begun,
                 const model_spec &spec);

}  // namespace slipstream
