#include <CLI/CLI.hpp>

#include "actors/commands/rows.hpp"

namespace slipstream {

command export_row() {
  return row<export_arguments>(
      "export", "write a run's model as a Hugging Face folder or a GGUF file, adapters merged",
      [](CLI::App &app, export_arguments &arguments) {
        app.add_option("run", arguments.from, "run folder, a model folder, or a GGUF file")->required();
        app.add_option("--to", arguments.to, "a new folder, or with --format gguf a new file")->required();
        app.add_option("--format", arguments.format, "folder, or gguf: one file, which llama.cpp loads")
            ->check(CLI::IsMember({"folder", "gguf"}));
        auto *type = app.add_option("--type", arguments.gguf_type,
                                    "with --format gguf: f32 (default), f16, bf16 or q8_0");
        app.add_option("--dtype", arguments.type, "of a folder: float32, float16 or bfloat16")
            ->excludes(type);
        app.add_option("--shard-size", arguments.shard_megabytes, "megabytes of weights a file holds at most")
            ->check(CLI::PositiveNumber);
        app.add_flag("--keep-adapter", arguments.keep_adapter,
                     "write LoRA adapters (PEFT) instead of merging them");
      });
}

}  // namespace slipstream
