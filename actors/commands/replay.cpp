#include <CLI/CLI.hpp>

#include "actors/commands/rows.hpp"

namespace slipstream {

namespace {

void add_other_order(CLI::App &app, replay_arguments &arguments) {
  app.add_option("--order", arguments.order, "another order of consumption: strict, windowed, completion");
  app.add_option("--window", arguments.window, "the window of the order, in groups")
      ->check(CLI::PositiveNumber);
  app.add_option("--late-after", arguments.late_after, "the deadline of the order, in versions")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--when-late", arguments.when_late, "what the order does with late groups")
      ->check(CLI::IsMember({"wait", "drop", "accept"}));
}

void add_gradients(CLI::App &app, replay_arguments &arguments) {
  auto *gradients = app.add_flag("--gradients", arguments.gradients,
                                 "compare the gradient of each batch with one of fresh samples");
  app.add_option("--every", arguments.every, "compare only every k-th batch")
      ->needs(gradients)
      ->check(CLI::PositiveNumber);
  app.add_option("--repeats", arguments.repeats, "fresh draws of each batch")
      ->needs(gradients)
      ->check(CLI::PositiveNumber);
}

}  // namespace

command replay_row() {
  return row<replay_arguments>(
      "replay", "train again on what a run's journal holds, to the bit",
      [](CLI::App &app, replay_arguments &arguments) {
        app.add_option("run", arguments.run, "run folder")->required();
        app.add_option("--to", arguments.to, "a new folder for the replayed checkpoint");
        app.add_option("--loss", arguments.loss, "what another loss would have made of the same rollouts");
        add_other_order(app, arguments);
        app.add_option("--set", arguments.overrides, "another key on the same rollouts: table.key=value")
            ->allow_extra_args(false);
        add_gradients(app, arguments);
        app.add_option("--until", arguments.until, "stop after this update")->check(CLI::PositiveNumber);
        app.add_flag("--json", arguments.json, "print JSON");
      });
}

}  // namespace slipstream
