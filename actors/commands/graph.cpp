#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "actors/commands/options.hpp"
#include "actors/commands/rows.hpp"
#include "runtime/kinds/kinds.hpp"
#include "runtime/topology/graph.hpp"

namespace slipstream {

command graph_row() {
  return row<graph_arguments>("graph", "draw a topology", [](CLI::App &app, graph_arguments &arguments) {
    add_topology_options(app, arguments);
    app.add_option("--format", arguments.format, "mermaid, dot or svg")
        ->check(CLI::IsMember({"mermaid", "dot", "svg"}));
  });
}

int execute(const graph_arguments &arguments) {
  for (auto &graph : read_topologies(arguments.files, arguments.overrides)) {
    const checked_topology checked(std::move(graph), builtin_kinds(), builtin_orders());
    auto drawing = picture_of(checked.graph(), ports_of(builtin_kinds()));
    const auto box = [&](const actor_config &actor) {
      return static_cast<std::size_t>(&actor - checked.graph().actors.data());
    };
    for (const auto &actor : checked.graph().actors)
      if (const auto *learner = followed_learner(checked, actor))
        drawing.arrows.push_back({box(*learner), box(actor), "weights", true});
    fmt::print("{}", arguments.format == "dot"   ? to_dot(drawing)
                     : arguments.format == "svg" ? to_svg(drawing)
                                                 : to_mermaid(drawing));
  }
  return 0;
}

}  // namespace slipstream
