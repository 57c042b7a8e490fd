// The program `slipstream`. It loads no tensor library, so that it answers at once: it reads the command
// line, carries out what needs no tensor, and starts the computing program for the rest.
#include "actors/commands/command_line.hpp"
#include "actors/front/computing_program.hpp"
#include "runtime/plumbing/process.hpp"

int main(int argc, char **argv) {
  slipstream::set_up_process();
  slipstream::keep_arguments(argv);
  return slipstream::run_command_line(argc, argv);
}
