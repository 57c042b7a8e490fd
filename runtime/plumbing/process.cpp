#include "runtime/plumbing/process.hpp"

#include <malloc.h>

#include <csignal>
#include <cstdlib>

#include "runtime/plumbing/descriptors.hpp"
#include "runtime/plumbing/resources.hpp"

namespace slipstream {

void set_up_process() {
  open_standard_descriptors();
  std::signal(SIGXFSZ, SIG_IGN);
  install_last_words();
  // A pass through a network frees and takes the same large pieces again and again: fresh pages for each cost
  // a fifth of the time. 32 MB is the most that the C library takes.
  ::mallopt(M_MMAP_THRESHOLD, 32 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 512 << 20);
}

std::filesystem::path program_of_people() {
  const char *light = std::getenv("SLIPSTREAM_PROGRAM");
  return light ? std::filesystem::path(light) : std::filesystem::read_symlink("/proc/self/exe");
}

}  // namespace slipstream
