#pragma once

#include <string>

namespace slipstream {

/// What `slipstream --version` prints: version and commit, the libraries that compute and carry messages, and
/// the instruction sets of this processor that the sums may use.
std::string version_text();

}  // namespace slipstream
