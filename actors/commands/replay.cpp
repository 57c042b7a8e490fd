#include <fmt/format.h>
#include <unistd.h>

#include <fstream>
#include <map>
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
  comparison(const run_paths &paths, const trainer &core, bool same_loss)
      : paths_(paths), core_(core), same_loss_(same_loss), original_(read_metrics(paths.metrics)) {}

  void add(const trained_version &made) {
    show(made.version);
    for (const char *name : compared_figures) {
      if (!made.metrics.contains(name)) continue;
      replayed_[name] = made.metrics[name];
      const auto line = original_.find(made.version);
      if (line != original_.end() && line->second.contains(name)) told_[name] = line->second[name];
    }
    const auto checkpoint = paths_.checkpoints / fmt::format("step-{:06}", made.version);
    if (!same_loss_ || !fs::exists(checkpoint)) return;
    ++compared_;
    if (!difference_.empty()) return;
    const auto tensor = first_difference(core_.model(), checkpoint);
    if (!tensor.empty()) difference_ = fmt::format("update {}: {}", made.version, tensor);
  }

  bool equal() const { return compared_ > 0 && difference_.empty(); }
  json result() const {
    json report = {{"updates", core_.version()},
                   {"checkpoints_compared", compared_},
                   {"metrics", {{"replayed", replayed_}, {"run", told_}}}};
    if (same_loss_) report["equal"] = equal();
    if (!difference_.empty()) report["first_difference"] = difference_;
    return report;
  }

 private:
  void show(std::int64_t version) const {
    if (::isatty(STDERR_FILENO) != 0)
      fmt::print(stderr, "\rreplayed {} of {} updates", version, original_.size());
  }

  const run_paths &paths_;
  const trainer &core_;
  bool same_loss_;
  std::map<std::int64_t, json> original_;
  json replayed_ = json::object(), told_ = json::object();
  std::string difference_;
  int compared_ = 0;
};

// The checkpoint as `run` would have written it, for its hash, and to stay where somebody asked for it.
std::string store(const replay_arguments &arguments, const trainer &core, const model_description &model) {
  const bool stays = !arguments.to.empty();
  const fs::path folder =
      stays ? arguments.to : fs::temp_directory_path() / fmt::format("slipstream-replay-{}", ::getpid());
  checkpoint result{core.model().spec(), core.model().flat().cpu(), model.text, {}};
  if (const auto *adapter = core.model().adapter())
    result.adapter = stored_adapter{*adapter, core.model().trainable().cpu(), model.adapter->base};
  save_checkpoint(folder, result, {}, "");
  const auto hash =
      file_sha256(folder / (result.adapter ? "adapter_model.safetensors" : "model.safetensors"));
  if (!stays) fs::remove_all(folder);
  return hash;
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
  auto graph = read_topology(paths.topology);
  std::vector<std::string> overrides;
  for (const auto &actor : graph.actors)
    if (actor.kind == "learner" && !arguments.loss.empty())
      overrides.push_back("actors." + actor.name + ".loss=" + arguments.loss);
  preflight plan(read_topology(paths.topology, overrides), kinds);
  const auto &description = plan.models().describe(plan.learned_model());
  const auto initial =
      place(plan.models().load(plan.learned_model()), plan.learner().device, plan.graph().run.numerics);
  trainer core(learner_options(plan), *initial);
  comparison compared(paths, core, arguments.loss.empty());
  const auto damage = replay_journal(paths.journal, core, arguments.until,
                                     [&](const trained_version &made) { compared.add(made); });
  json report = compared.result();
  report["sha256"] = store(arguments, core, description);
  if (damage) report["damage"] = to_string(*damage);
  if (::isatty(STDERR_FILENO) != 0) fmt::print(stderr, "\n");
  if (arguments.json)
    fmt::print("{}\n", report.dump(2));
  else
    print_text(report);
  const bool good = !damage && (!arguments.loss.empty() || compared.equal());
  return good ? 0 : 1;
}

}  // namespace slipstream
