#include "runtime/journal/comparison.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>

#include "runtime/journal/replay.hpp"
#include "runtime/learning/fingerprint.hpp"

namespace slipstream {
namespace {

using nlohmann::json;

// Of weights by another arithmetic, as a share of the tensor's greatest magnitude.
constexpr double tolerance = 0.01;

constexpr const char *figures[] = {
    "loss",       "reward_mean", "kl",        "entropy",     "clip_fraction",  "ratio_mean",    "weight_mean",
    "weight_max", "ess",         "grad_norm", "length_mean", "staleness_mean", "staleness_max", "accuracy"};

json chosen_figures(const json &line) {
  json result = json::object();
  for (const char *name : figures)
    if (line.contains(name)) result[name] = line[name];
  return result;
}

std::map<std::int64_t, json> read_metrics(const std::filesystem::path &file) {
  std::map<std::int64_t, json> lines;
  std::ifstream in(file);
  for (std::string text; std::getline(in, text);) {
    const auto line = json::parse(text, nullptr, false);
    if (line.is_object()) lines[line.value("update", std::int64_t{0})] = chosen_figures(line);
  }
  return lines;
}

std::string number(const json &figures_of_one, const char *name) {
  const auto found = figures_of_one.find(name);
  return found == figures_of_one.end() || !found->is_number() ? "-"
                                                              : fmt::format("{:.4g}", found->get<double>());
}

// Four figures side by side.
std::string block(const json &updates, const std::vector<const char *> &shown, std::size_t rows) {
  std::string table = fmt::format("{:>6}", "update");
  for (const char *name : shown) table += fmt::format("  {:>21}", name);
  table += fmt::format("\n{:>6}", "");
  for (std::size_t i = 0; i < shown.size(); ++i) table += fmt::format("  {:>10} {:>10}", "run", "replay");
  table += "\n";
  const std::size_t step = rows == 0 ? 1 : (updates.size() + rows - 1) / rows;
  for (std::size_t i = 0; i < updates.size(); ++i) {
    if (i % step != 0 && i + 1 != updates.size()) continue;
    table += fmt::format("{:>6}", updates[i]["update"].get<std::int64_t>());
    for (const char *name : shown)
      table += fmt::format("  {:>10} {:>10}", number(updates[i]["run"], name),
                           number(updates[i]["replayed"], name));
    table += "\n";
  }
  return table;
}

}  // namespace

replay_comparison::replay_comparison(const std::filesystem::path &metrics, std::filesystem::path checkpoints,
                                     std::string learner, bool weights)
    : checkpoints_folder_(std::move(checkpoints)),
      learner_(std::move(learner)),
      weights_(weights),
      run_(read_metrics(metrics)) {}

void replay_comparison::differs(std::int64_t version, const std::string &tensor) {
  if (!first_ || version < first_->version) first_ = difference{version, tensor};
}

// Either side may come first: after a resume a version is made, and told of, once more.
void replay_comparison::compare(std::int64_t version) {
  const auto told = told_.find(version), made = made_.find(version);
  if (!weights_ || other_arithmetic() || told == told_.end() || made == made_.end()) return;
  ++fingerprints_;
  for (std::size_t i = 0; i < std::max(told->second.size(), made->second.size()); ++i) {
    if (i < told->second.size() && i < made->second.size() && told->second[i] == made->second[i]) continue;
    return differs(version, i < tensors_.size() ? tensors_[i] : "the number of tensors");
  }
}

void replay_comparison::read(const journal_record &record) {
  if (const auto *used = std::get_if<arithmetic_used>(&record.event)) {
    arithmetic_ = opened_ ? used->number : std::min(arithmetic_, used->number);
    opened_ = false;
  }
  if (std::holds_alternative<run_opened>(record.event)) opened_ = true;
  if (std::holds_alternative<run_resumed>(record.event))
    opened_ = false;  // its first part said nothing: arithmetic 1
  const auto *told = std::get_if<version_made>(&record.event);
  if (!told || told->learner != learner_) return;
  told_[told->version] = told->tensors;
  compare(told->version);
}

void replay_comparison::made(const trained_version &version, const trainer &core) {
  replayed_[version.version] = chosen_figures(version.metrics);
  if (!weights_) return;
  if (tensors_.empty())
    for (const auto &slot : core.model().trainable_layout()) tensors_.push_back(slot.name);
  made_[version.version] = fingerprint(core.model());
  compare(version.version);
  const auto checkpoint = checkpoints_folder_ / fmt::format("step-{:06}", version.version);
  if (!std::filesystem::exists(checkpoint)) return;
  ++checkpoints_;
  if (!other_arithmetic()) {
    const auto tensor = first_difference(core.model(), checkpoint);
    if (!tensor.empty()) differs(version.version, tensor);
    return;
  }
  const auto [tensor, largest] = largest_difference(core.model(), checkpoint);
  largest_difference_ = std::max(largest_difference_, largest);
  if (largest > tolerance) differs(version.version, tensor);
}

bool replay_comparison::equal() const {
  return checkpoints_ + fingerprints_ > 0 && !first_;
}

json replay_comparison::result() const {
  json updates = json::array();
  for (const auto &[update, line] : replayed_) {
    const auto told = run_.find(update);
    updates.push_back({{"update", update},
                       {"run", told == run_.end() ? json::object() : told->second},
                       {"replayed", line}});
  }
  json report = {{"checkpoints_compared", checkpoints_}, {"fingerprints_compared", fingerprints_}};
  report["metrics"] = {{"run", json::object()}, {"replayed", json::object()}};
  if (!updates.empty())
    report["metrics"] = {{"run", updates.back()["run"]}, {"replayed", updates.back()["replayed"]}};
  report["updates_compared"] = std::move(updates);
  if (weights_) report["equal"] = equal();
  if (other_arithmetic())
    report["other_arithmetic"] = {
        {"run", arithmetic_}, {"here", arithmetic_number}, {"largest_difference", largest_difference_}};
  if (first_) report["first_difference"] = fmt::format("update {}: {}", first_->version, first_->tensor);
  return report;
}

std::string comparison_table(const json &updates, std::size_t rows) {
  std::vector<const char *> differing;
  std::string same;
  for (const char *name : figures) {
    const auto there = [&](const json &each) {
      return each["run"].contains(name) || each["replayed"].contains(name);
    };
    const auto equal = [&](const json &each) {
      return each["run"].value(name, json()) == each["replayed"].value(name, json());
    };
    if (std::none_of(updates.begin(), updates.end(), there)) continue;
    if (std::all_of(updates.begin(), updates.end(), equal))
      same += std::string(same.empty() ? "" : ", ") + name;
    else
      differing.push_back(name);
  }
  std::string text;
  for (std::size_t i = 0; i < differing.size(); i += 4)
    text += block(updates,
                  {differing.begin() + static_cast<std::ptrdiff_t>(i),
                   differing.begin() + static_cast<std::ptrdiff_t>(std::min(i + 4, differing.size()))},
                  rows);
  if (!same.empty()) text += "As in the run at every update: " + same + "\n";
  return text;
}

}  // namespace slipstream
