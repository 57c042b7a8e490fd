#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>

#include "actors/commands/arguments.hpp"
#include "actors/computing/sweep_plan.hpp"
#include "actors/computing/sweep_results.hpp"
#include "runtime/laboratory/run_pool.hpp"
#include "runtime/plumbing/blas.hpp"
#include "runtime/plumbing/output.hpp"
#include "runtime/plumbing/process.hpp"
#include "runtime/plumbing/say.hpp"
#include "runtime/run_folder/run_folder.hpp"
#include "runtime/run_folder/write.hpp"

namespace slipstream {
namespace {

namespace fs = std::filesystem;

child_program program_of(const sweep_arguments &arguments, const planned_sweep &sweep,
                         const planned_run &planned) {
  child_program program;
  program.arguments = {program_of_people().string(), "run", arguments.file.string(), "--resume"};
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
    if (live_) slipstream::say("\r\033[K");
  }

 private:
  const planned_run &at(std::size_t place) const { return sweep_.runs[places_[place]]; }

  void say(std::size_t i, const std::string &what) const {
    close();
    slipstream::say(
        fmt::format("{}: {} ({} of {} finished)\n", at(i).run.name, what, finished_, sweep_.runs.size()));
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
    slipstream::say(fmt::format("\r\033[K{}", line.substr(0, 150)));
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
  say(fmt::format("{} arms, {} runs, {} of them finished, folder {}\n", sweep.arms.size(), sweep.runs.size(),
                  finished, sweep.folder.string()));
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

int execute(const sweep_arguments &arguments) {
  if (!arguments.json) results_are_files();
  warn_of_blas();
  const blocked_signals signals;
  sweep_lock lock;
  const auto sweep = plan_sweep(arguments, lock);
  if (!run_missing(arguments, sweep, signals)) {
    say(fmt::format("interrupted; the same command goes on with what is in {}\n", sweep.folder.string()));
    return 130;
  }
  return write_sweep_results({sweep.folder, arguments.file, arguments.typed, arguments.json}, sweep.arms,
                             result_runs(sweep), signals);
}

}  // namespace slipstream
