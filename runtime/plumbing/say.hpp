#pragma once

#include <string>

namespace slipstream {

/// Writes to standard error. What cannot be written (a full disk behind it) is left out: there is nobody to
/// tell, and no run fails for want of a line about its progress.
void say(const std::string &text);

}  // namespace slipstream
