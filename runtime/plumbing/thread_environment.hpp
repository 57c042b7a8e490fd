#pragma once

namespace slipstream {

/// Sets OMP_WAIT_POLICY and OPENBLAS_NUM_THREADS for the program that this process becomes next; what is set
/// already stays. OpenMP and OpenBLAS read them when they are loaded. Waiting threads that spin would take
/// the cores from the other actors. False when an earlier program has set them.
bool set_thread_variables();

}  // namespace slipstream
