#include "actors/computing/sweep_results.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "models/error.hpp"
#include "models/files/json.hpp"
#include "models/plain_text.hpp"
#include "runtime/laboratory/comparison.hpp"
#include "runtime/laboratory/page.hpp"
#include "runtime/laboratory/plots.hpp"
#include "runtime/plumbing/say.hpp"
#include "runtime/run_folder/json_lines.hpp"
#include "runtime/run_folder/run_folder.hpp"
#include "runtime/run_folder/write.hpp"

namespace slipstream {
namespace {

namespace fs = std::filesystem;

// What a run that did not finish says of it: its summary, or else the last line that it printed.
std::string problem_of(const sweep_result_run &run) {
  try {
    const run_paths paths(run.folder);
    if (fs::exists(paths.summary)) {
      const auto summary = read_json(paths.summary);
      if (summary.contains("error")) return summary["error"].get<std::string>();
    }
    std::istringstream printed(read_text(run.log));
    std::string last;
    for (std::string line; std::getline(printed, line);)
      if (!line.empty()) last = line;
    if (!last.empty()) return last;
  } catch (const std::exception &) {
  }
  return "did not finish";
}

compared_run read_run(const sweep_result_run &run) {
  compared_run result{run.run.seed, run.run.name, {}, {}};
  if (!holds_finished_run(run.folder)) {
    result.problem = problem_of(run);
    return result;
  }
  try {
    result.figures = read_run_figures(run.folder);
  } catch (const std::exception &unreadable) {
    result.problem = plain_text(unreadable);
  }
  return result;
}

// Draws every picture; what gnuplot said stands in plots/gnuplot.txt. Empty, or why there are none.
std::string draw(const fs::path &folder, const std::vector<plot> &plots, const blocked_signals &signals) {
  for (const auto &each : plots) fs::remove(folder / (each.name + ".svg"));  // of older figures
  if (!program_exists("gnuplot"))
    return "there are no pictures: gnuplot is missing (on Debian: apt-get install gnuplot-nox); the same "
           "command draws them then";
  const auto log = folder / "gnuplot.txt";
  fs::remove(log);
  std::vector<child_program> programs;
  for (const auto &each : plots) programs.push_back({{"gnuplot", each.name + ".gp"}, folder, log});
  std::string failed;
  pool_observer observer;
  observer.ended = [&](std::size_t i, int code) {
    if (code != 0) failed = plots[i].name;
  };
  run_pool(signals, programs, 1, observer);
  if (failed.empty()) return "";
  return fmt::format("gnuplot could not draw {}: see {}", failed, log.string());
}

std::vector<std::string> notes_of(const comparison &compared) {
  std::vector<std::string> notes;
  for (const auto &arm : compared.arms)
    for (const auto &run : arm.runs)
      if (!run.figures) notes.push_back(fmt::format("{} is left out: {}", run.name, run.problem));
  if (!compared.unpaired.empty())
    notes.push_back(fmt::format(
        "the prompt streams of the arms are not paired, so there are no differences: {}", compared.unpaired));
  return notes;
}

}  // namespace

int write_sweep_results(const sweep_output &output, const std::vector<sweep_arm> &arms,
                        const std::vector<sweep_result_run> &runs, const blocked_signals &signals) {
  std::vector<compared_arm> read(arms.size());
  for (std::size_t i = 0; i < arms.size(); ++i) read[i].arm = arms[i];
  for (const auto &run : runs) {
    auto &arm = read[run.run.arm];
    arm.max_staleness = run.max_staleness;
    arm.runs.push_back(read_run(run));
  }
  const auto compared = compare_arms(std::move(read));
  auto notes = notes_of(compared);
  const bool whole = std::all_of(compared.arms.begin(), compared.arms.end(), [](const auto &arm) {
    return std::all_of(arm.runs.begin(), arm.runs.end(),
                       [](const auto &run) { return run.figures.has_value(); });
  });
  auto results = comparison_json(compared);
  results["command"] = output.command;
  results["folder"] = output.folder.string();
  write_summary(output.folder / "results.json", results);
  write_aside(output.folder / "table.md", table_text(compared));
  const auto pictures = output.folder / "plots";
  const auto plots = write_plots(pictures, compared);
  if (const auto missing = draw(pictures, plots, signals); !missing.empty()) notes.push_back(missing);
  write_aside(output.folder / "index.html",
              page_html({"Sweep of " + output.topology.filename().string(), output.command, notes}, compared,
                        plots, pictures));
  for (const auto &note : notes) say(fmt::format("{}\n", note));
  if (output.json)
    fmt::print("{}\n", results.dump(2));
  else
    fmt::print("{}{}\n", table_text(compared), (output.folder / "index.html").string());
  return whole ? 0 : 1;
}

}  // namespace slipstream
