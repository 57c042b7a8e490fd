#include <CLI/CLI.hpp>

#include "actors/commands/rows.hpp"

namespace slipstream {

command bench_row() {
  return row<bench_arguments>(
      "bench", "measure how fast a model samples, reads prompts or trains on this machine",
      [](CLI::App &app, bench_arguments &arguments) {
        app.add_option("what", arguments.what, "decode, prefill or train")
            ->required()
            ->check(CLI::IsMember({"decode", "prefill", "train"}));
        app.add_option("--model", arguments.model, "Hugging Face folder")->required();
        app.add_option("--threads", arguments.threads, "default: 1")->check(CLI::PositiveNumber);
        app.add_option("--batch", arguments.batches, "sequences at once: 1,8,32,64")
            ->delimiter(',')
            ->check(CLI::PositiveNumber);
        app.add_option("--prompt", arguments.prompt, "tokens of each prompt")->check(CLI::PositiveNumber);
        app.add_option("--new", arguments.fresh, "tokens of each answer")->check(CLI::PositiveNumber);
        app.add_option("--group", arguments.group, "answers to each prompt")->check(CLI::PositiveNumber);
        app.add_option("--temperature", arguments.temperature, "0 is greedy")->check(CLI::NonNegativeNumber);
        app.add_option("--top-p", arguments.top_p)->check(CLI::Range(0.0, 1.0));
        app.add_option("--weights", arguments.weights,
                       "f32, bf16 or int8: how matrices are stored for sampling")
            ->check(CLI::IsMember({"f32", "bf16", "int8"}));
        app.add_option("--repeats", arguments.repeats, "the best of so many is printed")
            ->check(CLI::PositiveNumber);
        app.add_flag("--json", arguments.json,
                     "a list of objects with batch, tokens_per_s and the machine's floors");
      });
}

}  // namespace slipstream
