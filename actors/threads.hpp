#pragma once

namespace slipstream {

/// Call this first in the main of a program that computes. The program executes itself once more, with the
/// variables set that OpenMP and OpenBLAS read when they are loaded
/// (runtime/plumbing/thread_environment.hpp).
void set_thread_environment(char **argv);

}  // namespace slipstream
