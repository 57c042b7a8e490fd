#pragma once

namespace slipstream {

/// Opens the descriptors 0, 1 and 2 on /dev/null where they are closed, so that no file of ours gets their
/// numbers and with them what is said there. Standard output is then such that nothing can be written to it.
/// First thing in main.
void open_standard_descriptors();

/// Whether nothing can be written to standard output, as where it was closed.
bool output_is_closed();

/// Standard output leads nowhere from now on: for a program whose results lie in files.
void discard_output();

}  // namespace slipstream
