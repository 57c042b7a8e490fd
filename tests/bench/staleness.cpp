// What max_staleness costs and gives: the quickstart's RLHF with the exact checker, once for each bound and
// seed, one after the other in one process. Prints a Markdown table. Run it from the root of the tree.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <caf/all.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <thread>

#include "actors/run.hpp"
#include "actors/threads.hpp"
#include "models/error.hpp"
#include "runtime/topology/topology.hpp"

using namespace slipstream;
namespace fs = std::filesystem;

namespace {

struct arguments {
  std::int64_t updates = 60;
  std::int64_t seeds = 1;
  fs::path folder = "runs/bench-staleness";
};

/// One figure over the seeds.
struct figure {
  std::vector<double> values;

  double mean() const {
    double sum = 0;
    for (const auto value : values) sum += value;
    return sum / static_cast<double>(values.size());
  }
  double largest() const { return *std::max_element(values.begin(), values.end()); }
};
using figures = std::map<std::string, figure>;

nlohmann::json read_summary(const fs::path &run) {
  std::ifstream file(run_paths(run).summary);
  return nlohmann::json::parse(file);
}

/// Runs a topology to its end and returns its summary.
nlohmann::json run(const std::string &file, const std::vector<std::string> &overrides) {
  registry kinds;
  register_builtin(kinds);
  preflight plan(read_topology(file, overrides), kinds);
  fmt::print(stderr, "{}: {} updates\n", plan.graph().run.name, plan.graph().run.updates);
  plan.verify();
  caf::actor_system_config config;
  configure(config);
  caf::actor_system system{config};
  auto summary = run_topology(system, plan, {});
  if (summary.at("exit_code") != 0) throw run_error(summary.value("error", "the run did not finish"));
  return summary;
}

std::vector<std::string> places(const arguments &given) {
  return {fmt::format("run.folder=\"{}\"", given.folder.string()),
          fmt::format("data.folder=\"{}\"", (given.folder / "data").string())};
}

/// The mean over updates of a figure of metrics.jsonl.
double metric_mean(const fs::path &run, const std::string &key) {
  std::ifstream file(run_paths(run).metrics);
  figure all;
  for (std::string line; std::getline(file, line);)
    all.values.push_back(nlohmann::json::parse(line).at(key).get<double>());
  return all.mean();
}

void measure(const arguments &given, std::int64_t bound, std::int64_t seed, figures &into) {
  const auto name = fmt::format("staleness-{}-seed-{}", bound, seed);
  fs::remove_all(given.folder / name);  // of an earlier benchmark
  auto overrides = places(given);
  overrides.push_back(fmt::format("run.name=\"{}\"", name));
  overrides.push_back(fmt::format("run.seed={}", seed));
  overrides.push_back(fmt::format("run.updates={}", given.updates));
  overrides.push_back(fmt::format("schedule.max_staleness={}", bound));
  const auto summary = run("configs/quickstart/rlhf-checker.toml", overrides);
  const auto put = [&](const char *key, double value) { into[key].values.push_back(value); };
  put("seconds", summary.at("seconds").get<double>() / static_cast<double>(given.updates));
  put("learner", summary.at("busy").at("learner"));
  put("sampler", summary.at("busy").at("sampler"));
  put("largest", summary.at("staleness_max"));
  put("mean", metric_mean(given.folder / name, "staleness_mean"));
  put("greedy", summary.at("eval").at("accuracy_greedy"));
  put("sampled", summary.at("eval").at("accuracy_sampled"));
}

void print_row(std::int64_t bound, const figures &row, double synchronous_seconds) {
  const auto mean = [&](const char *key) { return row.at(key).mean(); };
  fmt::print(
      "| {} | {:.3f} | {:.2f} | {:.0f} % | {:.0f} % | {:.0f} % | {:.2f} | {:.0f} of {} | {:.3f} | {:.3f} |\n",
      bound, mean("seconds"), mean("seconds") / synchronous_seconds, 100 * mean("learner"),
      100 * mean("sampler"), 100 * (mean("learner") + mean("sampler")), mean("mean"),
      row.at("largest").largest(), bound, mean("greedy"), mean("sampled"));
}

void compare(const arguments &given) {
  const auto start = given.folder / "quickstart-sft";
  if (!fs::exists(run_paths(start).summary)) {
    fs::remove_all(start);
    run("configs/quickstart/sft.toml", places(given));
  }
  const std::vector<std::int64_t> bounds{0, 1, 2, 4};
  std::map<std::int64_t, figures> rows;
  for (std::int64_t seed = 1; seed <= given.seeds;
       ++seed)  // seeds outside: a load on the machine falls on all bounds
    for (const auto bound : bounds) measure(given, bound, seed, rows[bound]);

  const auto before = read_summary(start).at("eval");
  fmt::print("{} updates, {} seed(s), {} cores; before: greedy {:.3f}, sampled {:.3f}\n\n", given.updates,
             given.seeds, std::thread::hardware_concurrency(), before.at("accuracy_greedy").get<double>(),
             before.at("accuracy_sampled").get<double>());
  fmt::print(
      "| max_staleness | s an update | against 0 | learner busy | sampler busy | sum | staleness, mean | "
      "largest "
      "| greedy | sampled |\n|---|---|---|---|---|---|---|---|---|---|\n");
  for (const auto bound : bounds) print_row(bound, rows[bound], rows[0].at("seconds").mean());
}

}  // namespace

int main(int argc, char **argv) {
  set_thread_environment(argv);
  arguments given;
  CLI::App app("RLHF with the exact checker at max_staleness 0, 1, 2 and 4");
  app.add_option("--updates", given.updates, "of each run")->check(CLI::PositiveNumber);
  app.add_option("--seeds", given.seeds, "runs of each bound; figures are means over them")
      ->check(CLI::PositiveNumber);
  app.add_option("--folder", given.folder, "of the runs; an SFT checkpoint there is used again");
  CLI11_PARSE(app, argc, argv);
  try {
    compare(given);
  } catch (const std::exception &problem) {
    fmt::print(stderr, "{}\n", problem.what());
    return 1;
  }
}
