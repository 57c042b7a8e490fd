#include "actors/commands/options.hpp"

#include <CLI/CLI.hpp>

namespace slipstream {

void add_topology_options(CLI::App &app, topology_arguments &arguments) {
  app.add_option("files", arguments.files, "topology files")->required();
  app.add_option("--set", arguments.overrides, "override a key: table.key=value")->allow_extra_args(false);
}

void add_resume_option(CLI::App &app, run_arguments &arguments) {
  app.add_flag("--resume", arguments.resume, "go on where an interrupted run stopped");
}

}  // namespace slipstream
