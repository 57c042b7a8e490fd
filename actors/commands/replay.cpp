#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "actors/commands/commands.hpp"
#include "actors/kinds/learner_plan.hpp"
#include "models/error.hpp"
#include "models/files/checkpoint.hpp"
#include "models/network/place.hpp"
#include "runtime/journal/replay.hpp"
#include "runtime/plumbing/progress.hpp"
#include "runtime/run_folder/run_folder.hpp"

namespace slipstream {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr const char *compared_figures[] = {"loss", "reward_mean", "kl", "entropy", "grad_norm"};

std::map<std::int64_t, json> read_metrics(const fs::path &file) {
  std::map<std::int64_t, json> lines;
  std::ifstream in(file);
  for (std::string text; std::getline(in, text);) {
    const auto line = json::parse(text, nullptr, false);
    if (line.is_object()) lines[line.value("update", std::int64_t{0})] = line;
  }
  return lines;
}

// Compares every version whose checkpoint is there, and keeps figures beside the run's own.
class comparison {
 public:
  comparison(const run_paths::learner_files &files, const trainer &core, bool same_loss)
      : checkpoints_(files.checkpoints), core_(core), same_loss_(same_loss), original_(read_metrics(files.metrics)) {}

  void add(const trained_version &made) {
    for (const char *name : compared_figures) {
      if (!made.metrics.contains(name)) continue;
      replayed_[name] = made.metrics[name];
      const auto line = original_.find(made.version);
      if (line != original_.end() && line->second.contains(name)) told_[name] = line->second[name];
    }
    const auto checkpoint = checkpoints_ / fmt::format("step-{:06}", made.version);
    if (!same_loss_ || !fs::exists(checkpoint)) return;
    ++compared_;
    if (!difference_.empty()) return;
    const auto tensor = first_difference(core_.model(), checkpoint);
    if (!tensor.empty()) difference_ = fmt::format("update {}: {}", made.version, tensor);
  }

  bool equal() const { return compared_ > 0 && difference_.empty(); }
  bool holds() const { return !same_loss_ || equal(); }  // with another loss nothing is promised
  json result() const {
    json report = {{"updates", core_.version()},
                   {"checkpoints_compared", compared_},
                   {"metrics", {{"replayed", replayed_}, {"run", told_}}}};
    if (same_loss_) report["equal"] = equal();
    if (!difference_.empty()) report["first_difference"] = difference_;
    return report;
  }

 private:
  fs::path checkpoints_;
  const trainer &core_;
  bool same_loss_;
  std::map<std::int64_t, json> original_;
  json replayed_ = json::object(), told_ = json::object();
  std::string difference_;
  int compared_ = 0;
};

void show_replayed(std::int64_t version, std::int64_t updates) {
  if (::isatty(STDERR_FILENO) != 0) fmt::print(stderr, "\rreplayed {} of {} updates", version, updates);
}

// One learner of the run, to be trained again.
struct replayed_learner {
  replayed_learner(preflight &plan, const actor_config &learner, const run_paths &paths, bool same_loss)
      : model(plan.models().describe(text_key(learner, "model"))),
        core(learner_options(plan, learner), *place(plan.models().load(text_key(learner, "model")), learner.device,
                                                    plan.graph().run.numerics)),
        compared(paths.of(&learner == &plan.learner() ? "" : learner.name), core, same_loss) {}

  model_description model;
  trainer core;
  comparison compared;
};
using replayed_learners = std::map<std::string, std::unique_ptr<replayed_learner>>;

// The checkpoint as `run` would have written it, for its hash, and to stay where somebody asked for it.
std::string store(const fs::path &to, const replayed_learner &learner) {
  const auto &core = learner.core;
  const fs::path folder =
      to.empty() ? fs::temp_directory_path() / fmt::format("slipstream-replay-{}", ::getpid()) : to;
  checkpoint result{core.model().spec(), core.model().flat().cpu(), learner.model.text, {}};
  if (const auto *adapter = core.model().adapter())
    result.adapter = stored_adapter{*adapter, core.model().trainable().cpu(), learner.model.adapter->base};
  save_checkpoint(folder, result, {}, "");
  const auto hash =
      file_sha256(folder / (result.adapter ? "adapter_model.safetensors" : "model.safetensors"));
  if (to.empty()) fs::remove_all(folder);
  return hash;
}

// What became of the learners beside the main one.
json report_others(const replayed_learners &learners, const std::string &main) {
  json report = json::object();
  for (const auto &[name, learner] : learners) {
    if (name == main) continue;
    const auto compared = learner->compared.result();
    for (const char *key : {"equal", "updates", "checkpoints_compared", "first_difference"})
      if (compared.contains(key)) report[name][key] = compared[key];
    report[name]["sha256"] = store({}, *learner);
  }
  return report;
}

bool all_equal(const replayed_learners &learners) {
  return std::all_of(learners.begin(), learners.end(),
                     [](const auto &entry) { return entry.second->compared.holds(); });
}

void print_text(const json &report) {
  fmt::print("{} updates replayed, {} checkpoints compared\n", report["updates"].get<int>(),
             report["checkpoints_compared"].get<int>());
  for (const auto &[name, value] : report["metrics"]["replayed"].items())
    fmt::print("  {:<12} {:>12.6g}   in the run {}\n", name, value.get<double>(),
               report["metrics"]["run"].value(name, json()).dump());
  if (report.contains("equal"))
    fmt::print("{}\n",
               report["equal"].get<bool>() ? "The weights are equal to the bit." : "The weights DIFFER.");
  if (report.contains("first_difference"))
    fmt::print("The difference begins at {}\n", report["first_difference"].get<std::string>());
  if (report.contains("learners"))
    for (const auto &[name, other] : report["learners"].items())
      fmt::print("{}: {} updates, {}\n", name, other["updates"].get<int>(),
                 other["equal"].get<bool>() ? "equal to the bit" : "DIFFERENT");
  if (report.contains("damage")) fmt::print("{}\n", report["damage"].get<std::string>());
  fmt::print("sha256 {}\n", report["sha256"].get<std::string>());
}

}  // namespace

int replay_command(const replay_arguments &arguments) {
  const run_paths paths(arguments.run);
  if (!fs::exists(paths.topology))
    throw input_error(paths.folder.string() + ": error: holds no topology.toml; name the folder of a run");
  if (fs::exists(arguments.to) && !fs::is_empty(arguments.to))
    throw input_error(arguments.to.string() + ": error: is there already; replay to a new folder");
  registry kinds;
  register_builtin(kinds);
  const auto main = preflight(read_topology(paths.topology), kinds).learner().name;
  std::vector<std::string> overrides;
  if (!arguments.loss.empty()) overrides.push_back("actors." + main + ".loss=" + arguments.loss);
  preflight plan(read_topology(paths.topology, overrides), kinds);
  replayed_learners learners;
  std::map<std::string, trainer *> trainers;
  for (const auto *learner : plan.learners()) {
    const bool same = arguments.loss.empty() || learner->name != main;
    learners[learner->name] = std::make_unique<replayed_learner>(plan, *learner, paths, same);
    trainers[learner->name] = &learners.at(learner->name)->core;
  }
  const auto damage = replay_journal(paths.journal, trainers, arguments.until,
                                     [&](const std::string &name, const trained_version &made) {
                                       learners.at(name)->compared.add(made);
                                       if (name == main) show_replayed(made.version, plan.graph().run.updates);
                                     });
  json report = learners.at(main)->compared.result();
  report["sha256"] = store(arguments.to, *learners.at(main));
  if (learners.size() > 1) report["learners"] = report_others(learners, main);
  if (damage) report["damage"] = to_string(*damage);
  if (::isatty(STDERR_FILENO) != 0) fmt::print(stderr, "\n");
  if (arguments.json)
    fmt::print("{}\n", report.dump(2));
  else
    print_text(report);
  return !damage && all_equal(learners) ? 0 : 1;
}

}  // namespace slipstream
