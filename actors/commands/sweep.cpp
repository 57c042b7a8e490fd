#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "actors/commands/commands.hpp"
#include "actors/commands/sweep_results.hpp"
#include "actors/preflight.hpp"
#include "models/error.hpp"
#include "models/files/json.hpp"
#include "runtime/journal/resume.hpp"
#include "runtime/laboratory/grid.hpp"
#include "runtime/laboratory/run_pool.hpp"
#include "runtime/run_folder/run_folder.hpp"
#include "runtime/run_folder/write.hpp"
#include "runtime/topology/resolved.hpp"

namespace slipstream {
namespace {

namespace fs = std::filesystem;

// One sweep at a time writes a folder; the lock ends with the process.
class sweep_lock {
 public:
  explicit sweep_lock(const fs::path &folder) {
    make_folder(folder);
    const auto file = folder / "lock";
    descriptor_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor_ < 0 || ::flock(descriptor_, LOCK_EX | LOCK_NB) != 0)
      throw input_error(
          fmt::format("{}: error: another sweep writes this folder now; wait for it to end, or "
                      "choose another folder with --to",
                      folder.string()));
  }
  ~sweep_lock() { ::close(descriptor_); }
  sweep_lock(const sweep_lock &) = delete;
  sweep_lock &operator=(const sweep_lock &) = delete;

 private:
  int descriptor_ = -1;
};

/// A run of the sweep, ready to start.
struct planned_run {
  sweep_run run;
  std::vector<std::string> overrides;
  fs::path folder;
  std::int64_t updates = 0, max_staleness = 0;
};

struct planned_sweep {
  fs::path folder;
  std::int64_t jobs = 1;
  std::vector<sweep_arm> arms;
  std::vector<planned_run> runs;
};

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
  for (const auto &each : arm.overrides) {
    const auto key = each.substr(0, each.find('='));
    if (text.starts_with("--set " + key + ":")) text.replace(0, 5, "--vary");
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
  if (!holds_finished_run(planned.folder)) check_run_folder(planned.folder, true);
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

planned_sweep plan_sweep(const sweep_arguments &arguments, std::optional<sweep_lock> &lock) {
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
    for (const auto &run : make_runs(sweep.arms, base.run.seed, arguments.seeds)) {
      arm_of_error = static_cast<std::int64_t>(run.arm);
      sweep.runs.push_back(plan_run(arguments, sweep, run, threads));
      check_run(arguments, sweep.runs.back(), kinds, false);
    }
    lock.emplace(sweep.folder);
    for (std::size_t i = 0; i < sweep.arms.size(); ++i) {  // files and models, once an arm
      arm_of_error = static_cast<std::int64_t>(i);
      check_run(arguments, sweep.runs[i], kinds, true);
    }
  } catch (const input_error &problem) {
    throw input_error(as_varied(problem.what(), sweep.arms[static_cast<std::size_t>(arm_of_error)]));
  }
  return sweep;
}

child_program program_of(const sweep_arguments &arguments, const planned_sweep &sweep,
                         const planned_run &planned) {
  child_program program;
  program.arguments = {"/proc/self/exe", "run", arguments.file.string(), "--resume"};
  for (const auto &each : planned.overrides) {
    program.arguments.push_back("--set");
    program.arguments.push_back(each);
  }
  program.output = sweep.folder / "logs" / (planned.run.name + ".txt");
  return program;
}

nlohmann::json newest_metrics(const fs::path &run) {
  std::ifstream in(run_paths(run).metrics, std::ios::ate | std::ios::binary);
  if (!in) return {};
  const auto size = static_cast<std::int64_t>(in.tellg());
  in.seekg(std::max<std::int64_t>(size - 8192, 0));
  std::string line, whole;
  while (std::getline(in, line))
    if (!in.eof()) whole = line;  // the last may be half written
  return nlohmann::json::parse(whole, nullptr, false);
}

std::string state_of(const planned_run &planned) {
  const auto metrics = newest_metrics(planned.folder);
  if (!metrics.is_object()) return fmt::format("0/{}", planned.updates);
  auto text = fmt::format("{}/{}", metrics.value("update", std::int64_t{0}), planned.updates);
  if (metrics.contains("reward_mean") && metrics["reward_mean"].is_number())
    text += fmt::format(" reward {:.3f}", metrics["reward_mean"].get<double>());
  else if (metrics.contains("loss") && metrics["loss"].is_number())
    text += fmt::format(" loss {:.4f}", metrics["loss"].get<double>());
  return text;
}

/// A live line on a terminal, otherwise a line when a run begins or ends.
class sweep_progress {
 public:
  sweep_progress(const planned_sweep &sweep, std::vector<std::size_t> places, std::size_t finished)
      : sweep_(sweep), places_(std::move(places)), finished_(finished), live_(::isatty(STDERR_FILENO) != 0) {}

  pool_observer observer() {
    return {[this](std::size_t i) { say(i, "begins or goes on"); },
            [this](std::size_t i, int code) { end(i, code); },
            [this](const std::vector<std::size_t> &running) { beat(running); }};
  }
  void close() const {
    if (live_) fmt::print(stderr, "\r\033[K");
  }

 private:
  const planned_run &at(std::size_t place) const { return sweep_.runs[places_[place]]; }

  void say(std::size_t i, const std::string &what) const {
    close();
    fmt::print(stderr, "{}: {} ({} of {} finished)\n", at(i).run.name, what, finished_, sweep_.runs.size());
  }
  void end(std::size_t i, int code) {
    if (code == 0) ++finished_;
    say(i, code == 0     ? "finished, " + state_of(at(i))
           : code == 130 ? std::string("interrupted")
                         : fmt::format("failed with exit code {}", code));
  }
  void beat(const std::vector<std::size_t> &running) const {
    if (!live_) return;
    auto line = fmt::format("{} of {} finished", finished_, sweep_.runs.size());
    for (const auto i : running) line += fmt::format("; {} {}", at(i).run.name, state_of(at(i)));
    fmt::print(stderr, "\r\033[K{}", line.substr(0, 150));
    std::fflush(stderr);
  }

  const planned_sweep &sweep_;
  std::vector<std::size_t> places_;
  std::size_t finished_;
  bool live_;
};

// Runs what is missing. False when interrupted.
bool run_missing(const sweep_arguments &arguments, const planned_sweep &sweep,
                 const blocked_signals &signals) {
  std::vector<std::size_t> places;
  std::vector<child_program> programs;
  for (std::size_t i = 0; i < sweep.runs.size(); ++i) {
    if (holds_finished_run(sweep.runs[i].folder)) continue;
    places.push_back(i);
    programs.push_back(program_of(arguments, sweep, sweep.runs[i]));
  }
  const auto finished = sweep.runs.size() - places.size();
  fmt::print(stderr, "{} arms, {} runs, {} of them finished, folder {}\n", sweep.arms.size(),
             sweep.runs.size(), finished, sweep.folder.string());
  make_folder(sweep.folder / "logs");
  sweep_progress progress(sweep, places, finished);
  const bool whole = run_pool(signals, programs, sweep.jobs, progress.observer());
  progress.close();
  return whole;
}

std::vector<sweep_result_run> result_runs(const planned_sweep &sweep) {
  std::vector<sweep_result_run> runs;
  for (const auto &planned : sweep.runs)
    runs.push_back({planned.run, planned.folder, sweep.folder / "logs" / (planned.run.name + ".txt"),
                    planned.max_staleness});
  return runs;
}

}  // namespace

int sweep_command(const sweep_arguments &arguments) {
  const blocked_signals signals;
  std::optional<sweep_lock> lock;
  const auto sweep = plan_sweep(arguments, lock);
  if (!run_missing(arguments, sweep, signals)) {
    fmt::print(stderr, "interrupted; the same command goes on with what is in {}\n", sweep.folder.string());
    return 130;
  }
  return write_sweep_results({sweep.folder, arguments.file, arguments.command, arguments.json}, sweep.arms,
                             result_runs(sweep), signals);
}

}  // namespace slipstream
