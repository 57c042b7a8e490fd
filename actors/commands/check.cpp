#include <CLI/CLI.hpp>

#include "actors/commands/options.hpp"
#include "actors/commands/rows.hpp"

namespace slipstream {

command check_row() {
  return row<check_arguments>("check", "check a topology before anything is loaded",
                              [](CLI::App &app, check_arguments &arguments) {
                                add_topology_options(app, arguments);
                                app.add_flag("--json", arguments.json, "print the result as JSON");
                              });
}

}  // namespace slipstream
