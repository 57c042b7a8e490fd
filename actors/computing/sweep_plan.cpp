#include "actors/computing/sweep_plan.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "actors/preflight.hpp"
#include "models/error.hpp"
#include "runtime/journal/resume.hpp"
#include "runtime/run_folder/run_folder.hpp"
#include "runtime/run_folder/write.hpp"
#include "runtime/topology/resolved.hpp"

namespace slipstream {
namespace {

namespace fs = std::filesystem;

topology read_one(const fs::path &file, const std::vector<std::string> &overrides) {
  return std::move(read_topologies({file}, overrides).front());
}

// Another run's checkpoint is looked for in run.folder, which is the sweep's own for its runs.
void pin_models(const topology &graph, std::vector<std::string> &overrides) {
  for (const auto &model : graph.models) {
    if (model.source != model_config::origin::from || !model.from.starts_with("run:")) continue;
    const auto folder =
        fs::absolute(resolve_model(model.from, graph.run.folder, model.at)).lexically_normal();
    overrides.push_back(fmt::format("models.{}.from={}", model.name, nlohmann::json(folder.string()).dump()));
  }
}

// Errors of a varied value name the option that it came from.
std::string as_varied(std::string text, const sweep_arm &arm) {
  constexpr std::string_view option = "--set ";
  if (!text.starts_with(option)) return text;
  const auto place = text.substr(option.size(), text.find(':') - option.size());
  for (const auto &each : arm.overrides) {
    const auto key = each.substr(0, each.find('='));
    if (key == place || key.starts_with(place + ".")) return text.replace(0, option.size(), "--vary ");
  }
  return text;
}

std::int64_t threads_share(const topology &base, std::int64_t jobs) {
  const auto cores = base.run.threads > 0 ? base.run.threads
                                          : std::max<std::int64_t>(std::thread::hardware_concurrency(), 1);
  if (jobs > cores)
    throw input_error(
        fmt::format("--jobs {}: error: there {} {} {} for all runs together; write --jobs {} or "
                    "less",
                    jobs, cores == 1 ? "is" : "are", cores, cores == 1 ? "core" : "cores", cores));
  return cores / jobs;
}

// Reads and checks one run's topology; what it was begun with, if it was, must be the same.
void check_run(const sweep_arguments &arguments, planned_run &planned, const registry &kinds, bool verify) {
  preflight plan(read_one(arguments.file, planned.overrides), kinds);
  planned.updates = plan.graph().run.updates;
  planned.max_staleness = plan.graph().schedule.max_staleness;
  const run_paths paths(planned.folder);
  if (fs::exists(paths.topology)) {
    try {
      require_same_topology(paths, write_resolved(plan.graph()));
    } catch (const input_error &changed) {
      throw input_error(std::string(changed.what()) +
                        "; a sweep compares runs of one topology: sweep into another folder with --to");
    }
  }
  if (holds_finished_run(planned.folder)) return;
  check_run_folder(planned.folder, true);
  if (verify) plan.verify();
}

planned_run plan_run(const sweep_arguments &arguments, const planned_sweep &sweep, const sweep_run &run,
                     std::optional<std::int64_t> threads) {
  planned_run planned{run, arguments.overrides, sweep.folder / run.name};
  const auto &varied = sweep.arms[run.arm].overrides;
  planned.overrides.insert(planned.overrides.end(), varied.begin(), varied.end());
  pin_models(read_one(arguments.file, planned.overrides), planned.overrides);
  planned.overrides.push_back("run.name=\"" + run.name + "\"");
  planned.overrides.push_back("run.folder=" + nlohmann::json(sweep.folder.string()).dump());
  planned.overrides.push_back(fmt::format("run.seed={}", run.seed));
  if (threads) planned.overrides.push_back(fmt::format("run.threads={}", *threads));
  return planned;
}

}  // namespace

sweep_lock::~sweep_lock() {
  if (taken()) ::close(descriptor_);
}

void sweep_lock::take(const fs::path &folder) {
  make_folder(folder);
  const auto file = folder / "lock";
  descriptor_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor_ < 0 || ::flock(descriptor_, LOCK_EX | LOCK_NB) != 0)
    throw input_error(
        fmt::format("{}: error: another sweep writes this folder now; wait for it to end, or "
                    "choose another folder with --to",
                    folder.string()));
}

planned_sweep plan_sweep(const sweep_arguments &arguments, sweep_lock &lock) {
  std::vector<varied_key> keys;
  for (const auto &text : arguments.vary) keys.push_back(parse_varied_key(text));
  planned_sweep sweep;
  sweep.jobs = arguments.jobs;
  sweep.arms = make_arms(keys);
  registry kinds;
  register_builtin(kinds);
  std::int64_t arm_of_error = 0;
  try {
    auto first = arguments.overrides;
    first.insert(first.end(), sweep.arms[0].overrides.begin(), sweep.arms[0].overrides.end());
    const auto base = read_one(arguments.file, first);
    std::optional<std::int64_t> threads;
    if (arguments.jobs > 1) threads = threads_share(base, arguments.jobs);
    sweep.folder =
        arguments.to.empty() ? fs::path(base.run.folder) / (base.run.name + "-sweep") : arguments.to;
    if (fs::exists(sweep.folder)) lock.take(sweep.folder);
    for (const auto &run : make_runs(sweep.arms, base.run.seed, arguments.seeds)) {
      arm_of_error = static_cast<std::int64_t>(run.arm);
      sweep.runs.push_back(plan_run(arguments, sweep, run, threads));
      check_run(arguments, sweep.runs.back(), kinds, false);
    }
    for (std::size_t i = 0; i < sweep.arms.size(); ++i) {  // files and models, once an arm
      arm_of_error = static_cast<std::int64_t>(i);
      check_run(arguments, sweep.runs[i], kinds, true);
    }
    if (!lock.taken()) lock.take(sweep.folder);  // not before the input is known to be good
  } catch (const input_error &problem) {
    throw input_error(as_varied(problem.what(), sweep.arms[static_cast<std::size_t>(arm_of_error)]));
  }
  return sweep;
}

}  // namespace slipstream
