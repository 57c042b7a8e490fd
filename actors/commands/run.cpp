#include <CLI/CLI.hpp>

#include "actors/commands/options.hpp"
#include "actors/commands/rows.hpp"

namespace slipstream {

command run_row() {
  return row<run_arguments>("run", "run one topology, or several in a row",
                            [](CLI::App &app, run_arguments &arguments) {
                              add_topology_options(app, arguments);
                              add_resume_option(app, arguments);
                            });
}

}  // namespace slipstream
