#pragma once

namespace slipstream {

/// Keeps what the program was started with, for start_computing_program(). First thing in main.
void keep_arguments(char **argv);

/// Becomes the program that computes, with the same arguments and with the environment that OpenMP and
/// OpenBLAS read when they are loaded. Comes back only by run_error, when there is no such program.
int start_computing_program();

}  // namespace slipstream
