#pragma once

namespace slipstream {

/// From now on the first Ctrl-C (or SIGTERM) is only noted, and the second ends the program at once.
void catch_interrupts();
/// Whether one has been noted.
bool interrupted();

}  // namespace slipstream
