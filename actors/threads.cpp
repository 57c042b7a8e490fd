#include "actors/threads.hpp"

#include <unistd.h>

#include <cstdlib>

namespace slipstream {

void set_thread_environment(char **argv) {
  if (std::getenv("SLIPSTREAM_THREADS_SET")) return;
  setenv("OMP_WAIT_POLICY", "passive", 0);
  setenv("OPENBLAS_NUM_THREADS", "1", 0);
  setenv("SLIPSTREAM_THREADS_SET", "1", 1);
  execv("/proc/self/exe", argv);  // on failure: go on without
}

}  // namespace slipstream
