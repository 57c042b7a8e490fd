#include "runtime/plumbing/process.hpp"

#include <csignal>
#include <cstdlib>

#include "runtime/plumbing/descriptors.hpp"
#include "runtime/plumbing/resources.hpp"

namespace slipstream {

void set_up_process() {
  open_standard_descriptors();
  std::signal(SIGXFSZ, SIG_IGN);
  install_last_words();
}

std::filesystem::path program_of_people() {
  const char *light = std::getenv("SLIPSTREAM_PROGRAM");
  return light ? std::filesystem::path(light) : std::filesystem::read_symlink("/proc/self/exe");
}

}  // namespace slipstream
