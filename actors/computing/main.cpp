// The program `slipstream-compute`: all commands, with the tensor library. The light program `slipstream`
// starts it with its own arguments.
#include <unistd.h>
#include <cstdio>

#include "actors/commands/command_line.hpp"
#include "actors/nodes/links.hpp"
#include "actors/threads.hpp"
#include "runtime/plumbing/process.hpp"

int main(int argc, char **argv) {
  slipstream::set_thread_environment(argv);  // does nothing where the light program has set it
  slipstream::set_up_process();
  const int code = slipstream::run_command_line(argc, argv);
  if (slipstream::linked_system::any_left_behind()) {  // whose threads still use what exit() would take down
    std::fflush(nullptr);
    ::_exit(code);
  }
  return code;
}
