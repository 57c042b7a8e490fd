#include <CLI/CLI.hpp>

#include "actors/commands/rows.hpp"

namespace slipstream {

command inspect_row() {
  return row<inspect_arguments>(
      "inspect", "architecture, parameters and memory of a model",
      [](CLI::App &app, inspect_arguments &arguments) {
        app.add_option("folder", arguments.folder, "model folder, GGUF file, or a run folder")->required();
        app.add_flag("--json", arguments.json, "print JSON");
      });
}

}  // namespace slipstream
