#include <CLI/CLI.hpp>

#include "actors/commands/rows.hpp"

namespace slipstream {

command generate_row() {
  return row<generate_arguments>(
      "generate", "continue a prompt", [](CLI::App &app, generate_arguments &arguments) {
        app.add_option("--model", arguments.model, "Hugging Face folder")->required();
        auto *prompt = app.add_option("--prompt", arguments.prompt, "text to continue");
        auto *ids = app.add_option("--ids", arguments.ids, "token ids to continue: 1,2,3")->delimiter(',');
        prompt->excludes(ids);
        app.add_option("--max-new-tokens", arguments.max_new_tokens,
                       "default: up to 64, as far as the context reaches")
            ->check(CLI::PositiveNumber);
        app.add_option("--min-new-tokens", arguments.min_new_tokens)->check(CLI::NonNegativeNumber);
        app.add_option("--temperature", arguments.temperature, "0 is greedy")->check(CLI::NonNegativeNumber);
        app.add_option("--top-k", arguments.top_k)->check(CLI::NonNegativeNumber);
        app.add_option("--top-p", arguments.top_p)->check(CLI::Range(0.0, 1.0));
        app.add_option("--min-p", arguments.min_p)->check(CLI::Range(0.0, 1.0));
        app.add_option("--seed", arguments.seed);
        app.add_option("--device", arguments.device, "cpu or cuda:N");
        app.add_flag("--exact", arguments.exact, "sum in an order that depends on nothing else (CPU)");
        app.add_flag("--json", arguments.json, "print ids, log-probabilities and finish reason");
      });
}

}  // namespace slipstream
