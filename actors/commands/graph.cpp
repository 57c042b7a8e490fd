#include <CLI/CLI.hpp>

#include "actors/commands/options.hpp"
#include "actors/commands/rows.hpp"

namespace slipstream {

command graph_row() {
  return row<graph_arguments>("graph", "draw a topology", [](CLI::App &app, graph_arguments &arguments) {
    add_topology_options(app, arguments);
    app.add_option("--format", arguments.format, "mermaid, dot or svg")
        ->check(CLI::IsMember({"mermaid", "dot", "svg"}));
  });
}

}  // namespace slipstream
