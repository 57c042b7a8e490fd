#include <fmt/format.h>
#include <caf/all.hpp>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "actors/commands/arguments.hpp"
#include "actors/computing/interrupts.hpp"
#include "actors/computing/results_table.hpp"
#include "actors/nodes/links.hpp"
#include "actors/placement.hpp"
#include "actors/run.hpp"
#include "actors/run_inputs.hpp"
#include "models/error.hpp"
#include "models/files/json.hpp"
#include "runtime/journal/resume.hpp"
#include "runtime/nodes/launcher.hpp"
#include "runtime/plumbing/blas.hpp"
#include "runtime/plumbing/output.hpp"
#include "runtime/plumbing/process.hpp"
#include "runtime/plumbing/resources.hpp"
#include "runtime/plumbing/say.hpp"
#include "runtime/run_folder/run_folder.hpp"
#include "runtime/topology/resolved.hpp"

namespace slipstream {
namespace {

std::vector<std::unique_ptr<preflight>> prepare(const run_arguments &arguments, const registry &kinds) {
  std::vector<std::unique_ptr<preflight>> stages;
  std::set<std::string> earlier;
  for (auto &graph : read_topologies(arguments.files, arguments.overrides)) {
    check_run_folder(graph.run_folder(), arguments.resume);
    stages.push_back(std::make_unique<preflight>(std::move(graph), kinds));
    const auto &read = stages.back()->graph();
    if (arguments.resume) check_inputs(read.run_folder(), inputs_of(read));
    if (!stages.back()->waits_for(earlier)) stages.back()->verify();
    if (!earlier.insert(stages.back()->graph().run.name).second)
      throw input_error(stages.back()->graph().source.string() + ": error: [run] name = \"" +
                        stages.back()->graph().run.name +
                        "\" is another stage's name too; give each run its own");
  }
  return stages;
}

/// The run's nodes are looked after whenever it is asked whether it was interrupted.
std::unique_ptr<node_launcher> launch_nodes(const topology &graph, run_options &options) {
  const auto program = program_of_people().string();
  auto launcher =
      std::make_unique<node_launcher>(graph.nodes, program, graph.run_folder() / "nodes", options.say);
  options.nodes_open = [nodes = launcher.get()](const endpoint &join) { nodes->start(join); };
  options.interrupted = [nodes = launcher.get()] {
    nodes->look_after();
    return interrupted();
  };
  return launcher;
}

/// A thread for each actor, and those of CAF, the links and the progress of a run; what files it keeps open,
/// and what OpenBLAS and the heap set aside for each thread that computes.
resource_needs needs_of(const preflight &stage) {
  std::size_t actors = 0;
  for (const auto &actor : stage.graph().actors)
    actors += static_cast<std::size_t>(std::max<std::int64_t>(1, actor.facts.replicas));
  return {actors + (places_actors(stage.graph()) ? 16 : 8), places_actors(stage.graph()) ? 48U : 16U,
          (actors * 192 + 512) << 20U};
}

nlohmann::json run_here_and_on_nodes(preflight &stage, const run_options &options) {
  require_resources(needs_of(stage));
  const linked_system linked([&](caf::actor_system_config &config) { configure(config, stage.graph()); });
  return run_topology(*linked, stage, options);
}

int run_stage(preflight &stage, bool resume, bool launch, stage_results &results) {
  if (resume && holds_finished_run(stage.graph().run_folder())) {
    require_same_topology(run_paths(stage.graph().run_folder()), write_resolved(stage.graph()));
    say(fmt::format("{}: is finished; nothing to go on with\n", stage.graph().run.name));
    results.push_back(read_json(run_paths(stage.graph().run_folder()).summary));
    return 0;
  }
  say(fmt::format("{}: {} updates, batch {}, folder {}\n", stage.graph().run.name, stage.graph().run.updates,
                  stage.graph().schedule.batch, stage.graph().run_folder().string()));
  for (const auto &note : stage.notes()) say(fmt::format("{}: {}\n", stage.graph().run.name, note));
  run_options options;
  options.progress = detect_progress_style();
  options.resume = resume;
  options.interrupted = interrupted;
  options.say = [name = stage.graph().run.name](const std::string &line) {
    say(fmt::format("{}: {}\n", name, line));
  };
  std::unique_ptr<node_launcher> nodes;
  if (launch && places_actors(stage.graph())) nodes = launch_nodes(stage.graph(), options);
  const auto summary = run_here_and_on_nodes(stage, options);
  if (nodes) nodes->finish(std::chrono::seconds(5));
  results.push_back(summary);
  const auto code = summary.at("exit_code").get<int>();
  if (summary.contains("error"))
    say(fmt::format("{}: error: {}\n", stage.graph().run.name, summary["error"].get<std::string>()));
  if (code == 130)
    say(fmt::format("{}: interrupted; checkpoint and summary are in {}\n", stage.graph().run.name,
                    stage.graph().run_folder().string()));
  return code;
}

int run_all(const run_arguments &arguments, bool launch) {
  results_are_files();
  warn_of_blas();
  registry kinds;
  register_builtin(kinds);
  const auto stages = prepare(arguments, kinds);
  catch_interrupts();
  stage_results results;
  std::set<std::string> earlier;
  for (const auto &stage : stages) {
    if (stage->waits_for(earlier)) stage->verify();
    earlier.insert(stage->graph().run.name);
    if (const auto code = run_stage(*stage, arguments.resume, launch, results); code != 0) return code;
  }
  fmt::print("{}", results_table(results));
  for (const auto &stage : stages) fmt::print("{}\n", stage->graph().run_folder().string());
  return 0;
}

}  // namespace

int execute(const run_arguments &arguments) {
  return run_all(arguments, false);
}

int execute(const launch_arguments &arguments) {
  return run_all(arguments, true);
}

}  // namespace slipstream
