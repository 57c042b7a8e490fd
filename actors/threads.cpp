#include "actors/threads.hpp"

#include <unistd.h>

#include "runtime/plumbing/thread_environment.hpp"

namespace slipstream {

void set_thread_environment(char **argv) {
  if (set_thread_variables()) execv("/proc/self/exe", argv);  // on failure: go on without
}

}  // namespace slipstream
