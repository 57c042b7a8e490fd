#include "runtime/plumbing/descriptors.hpp"

#include <fcntl.h>
#include <unistd.h>

namespace slipstream {
namespace {

// The lowest number that is free is the one that was missing.
void open_if_closed(int descriptor, int how) {
  if (::fcntl(descriptor, F_GETFD) < 0) (void)::open("/dev/null", how);
}

}  // namespace

void open_standard_descriptors() {
  open_if_closed(STDIN_FILENO, O_RDONLY);
  open_if_closed(STDOUT_FILENO, O_RDONLY);  // who writes an answer there is told so
  open_if_closed(STDERR_FILENO, O_WRONLY);
}

bool output_is_closed() {
  const int how = ::fcntl(STDOUT_FILENO, F_GETFL);
  return how < 0 || (how & O_ACCMODE) == O_RDONLY;
}

void discard_output() {
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (nowhere < 0) return;
  ::dup2(nowhere, STDOUT_FILENO);
  if (nowhere != STDOUT_FILENO) ::close(nowhere);
}

}  // namespace slipstream
