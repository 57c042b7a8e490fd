#include <CLI/CLI.hpp>

#include "actors/commands/rows.hpp"

namespace slipstream {

command export_row() {
  return row<export_arguments>(
      "export", "write a run's model as a Hugging Face folder, adapters merged",
      [](CLI::App &app, export_arguments &arguments) {
        app.add_option("run", arguments.from, "run folder, or a model folder")->required();
        app.add_option("--to", arguments.to, "a new folder")->required();
        app.add_option("--dtype", arguments.type, "float32, float16 or bfloat16");
        app.add_option("--shard-size", arguments.shard_megabytes, "megabytes of weights a file holds at most")
            ->check(CLI::PositiveNumber);
        app.add_flag("--keep-adapter", arguments.keep_adapter,
                     "write LoRA adapters (PEFT) instead of merging them");
      });
}

}  // namespace slipstream
