#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>
#include <caf/all.hpp>

#include <atomic>
#include <nlohmann/json.hpp>
#include <set>

#include "actors/commands/commands.hpp"
#include "actors/commands/results_table.hpp"
#include "actors/run.hpp"
#include "models/error.hpp"
#include "models/files/json.hpp"
#include "runtime/run_folder/run_folder.hpp"

namespace slipstream {
namespace {

std::atomic<int> interrupts{0};

/// The first Ctrl-C ends the run cleanly, the second at once.
void on_interrupt(int) {
  if (interrupts.fetch_add(1) > 0) _exit(130);
}

void catch_interrupts() {
  struct sigaction action = {};
  action.sa_handler = on_interrupt;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

std::vector<std::unique_ptr<preflight>> prepare(const topology_arguments &arguments, const registry &kinds) {
  std::vector<std::unique_ptr<preflight>> stages;
  std::set<std::string> earlier;
  for (auto &graph : read_topologies(arguments.files, arguments.overrides)) {
    check_run_folder(graph.run_folder(), arguments.resume);
    stages.push_back(std::make_unique<preflight>(std::move(graph), kinds));
    if (!stages.back()->waits_for(earlier)) stages.back()->verify();
    if (!earlier.insert(stages.back()->graph().run.name).second)
      throw input_error(stages.back()->graph().source.string() + ": error: [run] name = \"" +
                        stages.back()->graph().run.name +
                        "\" is another stage's name too; give each run its own");
  }
  return stages;
}

int run_stage(preflight &stage, bool resume, stage_results &results) {
  if (resume && holds_finished_run(stage.graph().run_folder())) {
    fmt::print(stderr, "{}: is finished; nothing to go on with\n", stage.graph().run.name);
    results.push_back(read_json(run_paths(stage.graph().run_folder()).summary));
    return 0;
  }
  fmt::print(stderr, "{}: {} updates, batch {}, folder {}\n", stage.graph().run.name,
             stage.graph().run.updates, stage.graph().schedule.batch, stage.graph().run_folder().string());
  for (const auto &note : stage.notes()) fmt::print(stderr, "{}: {}\n", stage.graph().run.name, note);
  caf::actor_system_config config;
  configure(config);
  caf::actor_system system{config};
  run_options options;
  options.progress = detect_progress_style();
  options.resume = resume;
  options.interrupted = [] { return interrupts.load() > 0; };
  const auto summary = run_topology(system, stage, options);
  results.push_back(summary);
  const auto code = summary.at("exit_code").get<int>();
  if (summary.contains("error"))
    fmt::print(stderr, "{}: error: {}\n", stage.graph().run.name, summary["error"].get<std::string>());
  if (code == 130)
    fmt::print(stderr, "{}: interrupted; checkpoint and summary are in {}\n", stage.graph().run.name,
               stage.graph().run_folder().string());
  return code;
}

}  // namespace

int run_command(const topology_arguments &arguments) {
  registry kinds;
  register_builtin(kinds);
  const auto stages = prepare(arguments, kinds);
  catch_interrupts();
  stage_results results;
  std::set<std::string> earlier;
  for (const auto &stage : stages) {
    if (stage->waits_for(earlier)) stage->verify();
    earlier.insert(stage->graph().run.name);
    if (const auto code = run_stage(*stage, arguments.resume, results); code != 0) return code;
  }
  fmt::print("{}", results_table(results));
  for (const auto &stage : stages) fmt::print("{}\n", stage->graph().run_folder().string());
  return 0;
}

}  // namespace slipstream
