#pragma once

#include <exception>
#include <string>

namespace slipstream {

/// What went wrong, for people: errors of ours as they are; those of the file system, of JSON, of memory and
/// of the tensor library in words, without a trace.
std::string plain_text(const std::exception &problem);

}  // namespace slipstream
