#pragma once

namespace slipstream {

/// First line of main in a program that computes: it starts itself once more with the variables set that
/// OpenMP and OpenBLAS read when they are loaded (runtime/plumbing/thread_environment.hpp).
void set_thread_environment(char **argv);

}  // namespace slipstream
