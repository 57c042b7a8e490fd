#include "runtime/laboratory/run_figures.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "models/error.hpp"
#include "models/files/json.hpp"
#include "runtime/laboratory/run_story.hpp"
#include "runtime/laboratory/run_trace.hpp"
#include "runtime/run_folder/run_folder.hpp"

namespace slipstream {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

double seconds(std::int64_t ns) {
  return static_cast<double>(ns) / 1e9;
}

std::map<std::int64_t, std::map<std::string, double>> read_metrics(const fs::path &file) {
  std::map<std::int64_t, std::map<std::string, double>> lines;
  std::ifstream in(file);
  if (!in) throw input_error(file.string() + ": error: cannot be read; was it moved?");
  for (std::string text; std::getline(in, text);) {
    const auto line = json::parse(text, nullptr, false);
    if (!line.is_object() || !line.contains("version")) continue;
    auto &numbers = lines[line["version"].get<std::int64_t>()];
    for (const auto &[key, value] : line.items())
      if (value.is_number()) numbers[key] = value.get<double>();
  }
  return lines;
}

update_point make_point(const run_story &story, const version_story &made, std::int64_t version) {
  update_point point;
  point.update = static_cast<double>(version);
  point.wall_seconds = seconds(story.clock.at(made.trained_ns));
  point.open_seconds = seconds(made.oldest_open_ns);
  for (const auto id : made.ids) {
    const auto &group = story.groups.at(id);
    point.samples += static_cast<double>(group.rollouts);
    point.wait_seconds = std::max(
        point.wait_seconds, seconds(story.clock.at(group.consumed_ns) - story.clock.at(group.ready_ns)));
    point.wait_versions =
        std::max(point.wait_versions, static_cast<double>(version - 1 - group.ready_batches));
  }
  return point;
}

void add_updates(run_figures &run, const run_story &story, const run_trace &trace,
                 const std::map<std::int64_t, std::map<std::string, double>> &metrics) {
  double samples = 0;
  for (const auto &[version, made] : story.versions) {
    auto point = make_point(story, made, version);
    point.samples = samples += point.samples;
    const auto work = trace.until(story.clock.at(made.trained_ns));
    point.generated_tokens = static_cast<double>(work.generated);
    point.device_seconds = seconds(work.device_ns);
    if (const auto line = metrics.find(version); line != metrics.end()) point.metrics = line->second;
    run.updates.push_back(std::move(point));
  }
}

void add_actors(run_figures &run, const run_trace &trace, std::int64_t end_ns) {
  for (const auto &[name, time] : trace.actors) {
    const double whole = seconds(end_ns) * static_cast<double>(time.replicas);
    if (whole <= 0) continue;
    actor_shares shares{seconds(time.busy) / whole, seconds(time.queued) / whole, 0};
    shares.waiting = std::max(0.0, 1 - shares.busy - shares.queued);
    run.actors[name] = shares;
    run.values["busy." + name] = shares.busy;
    run.values["queued." + name] = shares.queued;
    run.values["waiting." + name] = shares.waiting;
  }
}

void add_ages(run_figures &run, const run_story &story) {
  double sum = 0, count = 0;
  for (const auto &[id, group] : story.groups) {
    if (!group.trained()) continue;
    for (const auto &answer : group.kept)
      for (const auto &[version, tokens] : answer.versions) {
        run.token_ages[group.version - 1 - version] += tokens;
        sum += static_cast<double>((group.version - 1 - version) * tokens);
        count += static_cast<double>(tokens);
      }
  }
  if (count == 0) return;
  run.values["staleness_mean"] = sum / count;
  run.values["staleness_max"] = static_cast<double>(run.token_ages.rbegin()->first);
}

void add_answers(run_figures &run, const group_story &group, const std::vector<answer_story> &answers,
                 bool trained) {
  for (const auto &answer : answers) {
    answer_figures figures{group.row, answer.length, answer.reward, std::numeric_limits<double>::quiet_NaN(),
                           trained};
    if (trained && !answer.versions.empty())
      figures.age = static_cast<double>(group.version - 1 - answer.versions.begin()->first);
    run.answers.push_back(figures);
  }
}

// Every generated token is trained on or one of the wasted; what no record tells of is what was under way
// when the run ended or was killed, or was sampled a second time after that.
void add_tokens(run_figures &run, const run_story &story, const run_trace &trace) {
  run.generated = trace.generated();
  if (run.generated == 0) return;
  std::int64_t told = 0;
  for (const auto &[id, group] : story.groups) {
    add_answers(run, group, group.kept, group.trained());
    add_answers(run, group, group.left_out, false);
    std::int64_t kept = 0, left_out = 0;
    for (const auto &answer : group.kept) kept += answer.length;
    for (const auto &answer : group.left_out) left_out += answer.length;
    told += kept + left_out;
    if (group.trained()) run.trained += kept;
    if (!group.dropped.empty()) {
      run.wasted["dropped: " + group.dropped] += kept + left_out;
      continue;
    }
    if (!group.trained() && kept > 0) run.wasted["finished, not consumed"] += kept;
    if (left_out > 0) run.wasted["not chosen"] += left_out;
  }
  if (run.generated > told) run.wasted["unfinished, or sampled again"] = run.generated - told;
  run.generated = std::max(run.generated, told);  // a kill may have taken the last spans
  std::int64_t wasted = 0;
  for (const auto &[reason, tokens] : run.wasted) wasted += tokens;
  run.values["generated_tokens"] = static_cast<double>(run.generated);
  run.values["trained_tokens"] = static_cast<double>(run.trained);
  run.values["waste"] = static_cast<double>(wasted) / static_cast<double>(run.generated);
}

void add_waits(run_figures &run, const run_story &story) {
  double sum = 0, longest = 0, versions = 0, open = 0, count = 0;
  for (const auto &[id, group] : story.groups) {
    if (!group.trained()) continue;
    sum += seconds(story.clock.at(group.consumed_ns) - story.clock.at(group.ready_ns));
    ++count;
  }
  for (const auto &point : run.updates) {
    longest = std::max(longest, point.wait_seconds);
    versions = std::max(versions, point.wait_versions);
    open = std::max(open, point.open_seconds);
  }
  if (count == 0) return;
  run.values["wait_mean"] = sum / count;
  run.values["wait_max"] = longest;
  run.values["wait_versions_max"] = versions;
  run.values["open_max"] = open;
}

// The mean over the last tenth of the updates, at least one.
void add_last(run_figures &run, const std::string &metric, const std::string &key) {
  const auto from = run.updates.size() - std::max<std::size_t>(run.updates.size() / 10, 1);
  double sum = 0, count = 0;
  for (auto i = from; i < run.updates.size(); ++i)
    if (const auto value = run.updates[i].metrics.find(metric); value != run.updates[i].metrics.end()) {
      sum += value->second;
      ++count;
    }
  if (count > 0) run.values[key] = sum / count;
}

void add_summary(run_figures &run, const json &summary) {
  const auto evaluated = summary.value("eval", json::object());
  for (const auto &[key, value] : evaluated.items())
    if (value.is_number() && key != "prompts" && key != "samples" && key != "version")  // the evaluator's own
      run.values["eval." + key] = value.get<double>();
  if (const auto bound = summary.find("staleness_bound"); bound != summary.end() && bound->is_number())
    run.values["staleness_bound"] = bound->get<double>();
  const auto &last = run.updates.back();
  run.values["updates"] = last.update;
  run.values["seconds"] = last.wall_seconds;
  run.values["update_seconds"] = last.wall_seconds / static_cast<double>(run.updates.size());
  run.values["device_seconds"] = last.device_seconds;
  add_last(run, "reward_mean", "reward");
  add_last(run, "loss", "loss");
}

struct mean_of {
  double sum = 0, count = 0;
  void add(double value) {
    if (std::isnan(value)) return;
    sum += value;
    ++count;
  }
  double mean() const { return sum / count; }
};

}  // namespace

run_figures read_run_figures(const fs::path &folder) {
  const run_paths paths(folder);
  const auto story = read_run_story(paths.journal);
  if (story.versions.empty())
    throw input_error(paths.journal.string() +
                      ": error: no batch was consumed, so there is nothing to compare");
  std::int64_t end_ns = 0;
  for (const auto &[version, made] : story.versions)
    end_ns = std::max(end_ns, story.clock.at(made.trained_ns));
  const auto trace = read_run_trace(folder, story.clock, end_ns);
  run_figures run;
  add_updates(run, story, trace, read_metrics(paths.metrics));
  add_actors(run, trace, end_ns);
  add_ages(run, story);
  add_tokens(run, story, trace);
  add_waits(run, story);
  add_summary(run, read_json(paths.summary));
  for (const auto &[id, group] : story.groups) run.draws[id] = {group.epoch, group.row};
  return run;
}

std::map<std::int64_t, double> row_rewards(const run_figures &run) {
  std::map<std::int64_t, mean_of> sums;
  for (const auto &answer : run.answers) sums[answer.row].add(answer.reward);
  std::map<std::int64_t, double> rewards;
  for (const auto &[row, sum] : sums)
    if (sum.count > 0) rewards[row] = sum.mean();
  return rewards;
}

void add_bias(run_figures &run, const std::map<std::int64_t, double> &difficulty) {
  const auto compare = [&](const std::string &key, auto &&figure) {
    mean_of trained, generated;
    for (const auto &answer : run.answers) {
      generated.add(figure(answer));
      if (answer.trained) trained.add(figure(answer));
    }
    if (trained.count == 0 || generated.count == 0) return;
    run.values[key + "_trained"] = trained.mean();
    run.values[key + "_generated"] = generated.mean();
    run.values[key + "_bias"] = trained.mean() - generated.mean();
  };
  compare("length", [](const answer_figures &answer) { return static_cast<double>(answer.length); });
  compare("reward", [](const answer_figures &answer) { return answer.reward; });
  compare("difficulty", [&](const answer_figures &answer) {
    const auto found = difficulty.find(answer.row);
    return found == difficulty.end() ? std::numeric_limits<double>::quiet_NaN() : found->second;
  });
}

}  // namespace slipstream
