#include <CLI/CLI.hpp>

#include "actors/commands/rows.hpp"

namespace slipstream {

command sweep_row() {
  return row<sweep_arguments>(
      "sweep", "run a grid of topologies over several seeds and compare them",
      [](CLI::App &app, sweep_arguments &arguments) {
        app.add_option("file", arguments.file, "topology file")->required();
        app.add_option("--vary", arguments.vary, "a key and its values: table.key=a,b,c; may be repeated")
            ->allow_extra_args(false);
        app.add_option("--seeds", arguments.seeds, "runs of each arm, from run.seed on (default: 1)")
            ->check(CLI::PositiveNumber);
        app.add_option("--set", arguments.overrides, "override a key in all runs: table.key=value")
            ->allow_extra_args(false);
        app.add_option("--jobs", arguments.jobs, "runs at the same time, which share the cores (default: 1)")
            ->check(CLI::PositiveNumber);
        app.add_option("--to", arguments.to,
                       "folder of runs, table and plots (default: NAME-sweep in run.folder)");
        app.add_flag("--json", arguments.json, "print the comparison as JSON");
      });
}

}  // namespace slipstream
