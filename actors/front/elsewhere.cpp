// The functions of the commands that need tensors, as the light program has them: the computing program
// carries them out (actors/computing/).
#include "actors/commands/arguments.hpp"
#include "actors/front/computing_program.hpp"
#include "runtime/kinds/kinds.hpp"

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
/// What is wrong in the first file is said here, at once. (What is wrong in a later one follows what the
/// computing program says of those before it.)
int execute(const check_arguments &arguments) {
  auto graphs = read_topologies(arguments.files, arguments.overrides);
  const checked_topology first(std::move(graphs.front()), builtin_kinds(), builtin_orders());
  return start_computing_program();
}
int execute(const eval_arguments &) {
  return start_computing_program();
}
int execute(const generate_arguments &) {
  return start_computing_program();
}
int execute(const bench_arguments &) {
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
