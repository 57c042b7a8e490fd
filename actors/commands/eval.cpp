#include <CLI/CLI.hpp>

#include "actors/commands/options.hpp"
#include "actors/commands/rows.hpp"

namespace slipstream {

command eval_row() {
  return row<eval_arguments>(
      "eval", "the held-out evaluation of a topology", [](CLI::App &app, eval_arguments &arguments) {
        add_topology_options(app, arguments);
        app.add_option("--model", arguments.model, "checkpoint folder (default: the run's last checkpoint)");
      });
}

}  // namespace slipstream
