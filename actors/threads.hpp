#pragma once

namespace slipstream {

/// First line of main: OpenMP and OpenBLAS read OMP_WAIT_POLICY and OPENBLAS_NUM_THREADS when they are
/// loaded, so the program starts itself once more with them set (values that are set already are kept).
/// Waiting threads that spin would take the cores from the other actors.
void set_thread_environment(char **argv);

}  // namespace slipstream
