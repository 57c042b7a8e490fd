#include <CLI/CLI.hpp>

#include "actors/commands/options.hpp"
#include "actors/commands/rows.hpp"

namespace slipstream {

command launch_row() {
  return row<launch_arguments>("launch", "run, with the nodes' processes started and ended",
                               [](CLI::App &app, launch_arguments &arguments) {
                                 add_topology_options(app, arguments);
                                 add_resume_option(app, arguments);
                               });
}

}  // namespace slipstream
