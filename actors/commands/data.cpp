#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "actors/commands/rows.hpp"
#include "runtime/data/make.hpp"
#include "runtime/plumbing/output.hpp"

namespace slipstream {

command data_row() {
  return row<data_arguments>("data", "write the files of a made-up task",
                             [](CLI::App &app, data_arguments &arguments) {
                               app.add_option("name", arguments.task, "the task: sort")->required();
                               app.add_option("--to", arguments.folder, "folder to write to")->required();
                               app.add_option("--seed", arguments.seed);
                             });
}

int execute(const data_arguments &arguments) {
  results_are_files();
  const bool written = make_data(find_maker(arguments.task), arguments.folder, arguments.seed);
  fmt::print("{} {}\n", arguments.folder.string(),
             written ? "written" : "is there already; nothing was changed");
  return 0;
}

}  // namespace slipstream
