#include <CLI/CLI.hpp>

#include "actors/commands/rows.hpp"

namespace slipstream {

command score_row() {
  return row<score_arguments>(
      "score", "log-probabilities or reward scores of JSON lines on standard input",
      [](CLI::App &app, score_arguments &arguments) {
        app.add_option("--model", arguments.model, "Hugging Face folder")->required();
        app.add_option("--device", arguments.device, "cpu or cuda:N");
        app.add_flag("--exact", arguments.exact, "sum in an order that depends on nothing else (CPU)");
        app.add_flag("--json", arguments.json, "the output is JSON lines in any case");
      });
}

}  // namespace slipstream
