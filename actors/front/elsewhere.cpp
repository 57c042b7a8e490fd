// The functions of the commands that need tensors, as the light program has them: the computing program
// carries them out (actors/computing/).
#include "actors/commands/arguments.hpp"
#include "actors/front/computing_program.hpp"
#include "runtime/topology/topology.hpp"

namespace slipstream {

int execute(const run_arguments &) {
  return start_computing_program();
}
int execute(const launch_arguments &) {
  return start_computing_program();
}
int execute(const node_arguments &) {
  return start_computing_program();
}
/// What is wrong in the file is said here, at once.
int execute(const check_arguments &arguments) {
  read_topologies(arguments.files, arguments.overrides);
  return start_computing_program();
}
int execute(const graph_arguments &) {
  return start_computing_program();
}
int execute(const eval_arguments &) {
  return start_computing_program();
}
int execute(const generate_arguments &) {
  return start_computing_program();
}
int execute(const score_arguments &) {
  return start_computing_program();
}
int execute(const export_arguments &) {
  return start_computing_program();
}
int execute(const inspect_arguments &) {
  return start_computing_program();
}
int execute(const replay_arguments &) {
  return start_computing_program();
}
int execute(const sweep_arguments &) {
  return start_computing_program();
}

}  // namespace slipstream
