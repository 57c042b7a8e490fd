#include "runtime/journal/resume.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>
#include <tuple>
#include <utility>

#include "models/error.hpp"
#include "models/files/checksum.hpp"
#include "models/files/json.hpp"
#include "runtime/run_folder/write.hpp"
#include "runtime/topology/renamed_keys.hpp"

namespace slipstream {
namespace {

namespace fs = std::filesystem;

bool holds_journal(const fs::path &folder) {
  std::error_code failed;
  for (const auto &entry : fs::directory_iterator(folder, failed))
    if (entry.path().extension() == ".journal" && entry.file_size() > 0) return true;
  return false;
}

std::int64_t version_of(const fs::path &checkpoint) {
  const auto file = checkpoint / "slipstream.json";
  const auto state = read_json(file);
  if (!state.is_object() || state.value("format", 0) != 1 || !state.contains("version"))
    throw input_error(file.string() + ": error: no state of format 1, the one this version goes on from");
  return state.at("version").get<std::int64_t>();
}

// The oldest weights that make tokens yet, where every prompt is made by those of its min_version.
std::int64_t oldest_needed(const run_history &history) {
  auto oldest = std::numeric_limits<std::int64_t>::max();
  for (const auto &[id, min_version] : waiting_again(history)) oldest = std::min(oldest, min_version);
  return oldest;
}

constexpr auto most_versions = std::numeric_limits<std::int64_t>::max();

// The newest whole one of at most `most`; none: the initial weights.
std::pair<fs::path, std::int64_t> newest_checkpoint(const fs::path &folder, std::int64_t most) {
  std::pair<fs::path, std::int64_t> newest{{}, 0};
  std::error_code missing;  // killed before the first one
  for (const auto &entry : fs::directory_iterator(folder, missing)) {
    if (!entry.path().filename().string().starts_with("step-") || entry.path().has_extension() ||
        !fs::exists(entry.path() / "slipstream.json"))
      continue;
    const auto version = version_of(entry.path());
    if (version <= most && version > newest.second) newest = {fs::canonical(entry.path()), version};
  }
  return newest;
}

fs::path checkpoints_of(const run_paths &paths, const std::vector<learner_path> &learners,
                        const std::string &learner) {
  return paths.of(learner == learners.front().learner ? "" : learner).checkpoints;
}

// Checkpoints without the journal that led to them: to begin anew would write over them.
void refuse_checkpoints(const run_paths &paths, const std::vector<learner_path> &learners) {
  for (const auto &each : learners)
    if (const auto last = checkpoints_of(paths, learners, each.learner) / "last"; fs::exists(last))
      throw input_error(paths.journal.string() + ": error: there is no journal, but there are checkpoints (" +
                        last.string() +
                        "); put the journal back, or begin a run of another name with from = \"run:NAME\"");
}

// A journal without the checkpoints that it led to: to begin anew would throw away what was trained.
[[noreturn]] void refuse_journal(const run_paths &paths, const fs::path &checkpoints, std::int64_t updates) {
  throw input_error(
      fmt::format("{}: error: there is no checkpoint, but the journal ({}) tells of {} updates; put the "
                  "checkpoints back, or "
                  "begin a run of another name",
                  checkpoints.string(), paths.journal.string(), updates));
}

// Puts `names` back to the newest version of at most `most` that all of them have a checkpoint of.
void go_back(resume_point &point, learner_versions &versions, const run_paths &paths,
             const std::vector<learner_path> &learners, const std::set<std::string> &names,
             std::int64_t most) {
  for (bool equal = false; !equal;) {
    equal = true;
    for (const auto &name : names) {
      const auto [folder, version] = newest_checkpoint(checkpoints_of(paths, learners, name), most);
      equal = equal && version == most;
      most = version;
      versions[name] = version;
      point.checkpoints[name] = folder;
      if (folder.empty()) point.checkpoints.erase(name);
    }
  }
}

}  // namespace

std::optional<resume_point> find_resume_point(const run_paths &paths,
                                              const std::vector<learner_path> &learners, bool exact_lag,
                                              const std::set<std::string> &together,
                                              std::int64_t checkpoint_every) {
  if (!holds_journal(paths.journal)) {
    refuse_checkpoints(paths, learners);
    return {};
  }
  resume_point point;
  learner_versions versions;
  for (const auto &each : learners) {
    const auto folder = checkpoints_of(paths, learners, each.learner);
    if (fs::is_directory(folder / "last")) {
      point.checkpoints[each.learner] = fs::canonical(folder / "last");
      versions[each.learner] = version_of(point.checkpoints.at(each.learner));
    } else if (const auto [newest, version] = newest_checkpoint(folder, most_versions); version > 0) {
      point.checkpoints[each.learner] = newest;  // the link to it is lost
      versions[each.learner] = version;
    }
  }
  point.history = read_history(paths.journal, versions);
  if (point.history.opened.name.empty()) return {};  // killed before the first record
  for (const auto &each : point.history.learners)
    if (checkpoint_every > 0 && !point.checkpoints.contains(each.name) && each.consumed > checkpoint_every)
      refuse_journal(paths, checkpoints_of(paths, learners, each.name), each.consumed - 1);
  auto back = together;
  auto most = std::numeric_limits<std::int64_t>::max();
  for (const auto &name : together) most = std::min(most, versions[name]);
  const auto &main = learners.front().learner;
  if (const auto needed = oldest_needed(point.history); exact_lag && needed < versions[main]) {
    back.insert(main);
    most = std::min(most, needed);
  }
  if (!back.empty()) {
    go_back(point, versions, paths, learners, back, most);
    point.history = read_history(paths.journal, versions);
  }
  for (const auto &[learner, folder] : point.checkpoints) verify_checksums(folder);
  return point;
}

namespace {

/// Reads lines, but none that say where actors run: a run may go on elsewhere.
class lines_without_nodes {
 public:
  explicit lines_without_nodes(const std::string &text) : in_(text) {}

  bool next(std::string &line) {
    while (std::getline(in_, line)) {
      ++number_;
      if (line.starts_with("["))
        in_nodes_ = line == "[nodes]" || line.starts_with("[nodes.") || line == "[chaos]";
      if (in_nodes_ || line.empty() || line.starts_with("node = ")) continue;
      return true;
    }
    return false;
  }
  int number() const { return number_; }

 private:
  std::istringstream in_;
  int number_ = 0;
  bool in_nodes_ = false;
};

/// Keys at their defaults that earlier releases did not write.
bool newer_default(const std::string &line) {
  static const std::set<std::string> lines{"weights = \"float32\"", "top_k = 0", "top_p = 1.0",
                                           "min_p = 0.0"};
  return lines.contains(line);
}

}  // namespace

void require_same_topology(const run_paths &paths, const std::string &resolved) {
  lines_without_nodes before(with_present_keys(read_text(paths.topology))), now(resolved);
  std::string old_line, new_line;
  while (true) {
    const bool more_before = before.next(old_line);
    bool more_now = now.next(new_line);
    while (more_now && newer_default(new_line) && !(more_before && old_line == new_line))
      more_now = now.next(new_line);
    if (!more_before && !more_now) return;
    if (more_before && more_now && old_line == new_line) continue;
    throw input_error(
        fmt::format("{}:{}: error: --resume: the run was begun with `{}`, the topology now says `{}`; "
                    "resume with the same keys, or begin a run of another name",
                    paths.topology.string(), before.number(), more_before ? old_line : "nothing",
                    more_now ? new_line : "nothing"));
  }
}

ledger restored_books(ledger empty, std::int64_t batch, const run_history &history) {
  const auto &main = history.learners.front();
  std::map<std::int64_t, std::int64_t>
      taken;  // rollouts of the main learner's batches, by the version they make
  for (const auto &[id, prompt] : history.prompts) {
    const bool dropped = prompt.state == rollout_state::dropped;
    empty.restore(id, prompt.state, prompt.reason);
    if (!dropped && history.dropped_on(main.path, id)) empty.excuse(id);
    const auto made = main.made.find(id);
    if (made == main.made.end()) continue;
    taken[made->second] += history.opened.group;
    if (dropped) empty.forfeit(history.opened.group);  // it had its place, and a guard left it untrained
  }
  for (const auto &[version, rollouts] : taken) empty.forfeit(batch - rollouts);
  empty.restore_reissued(history.reissued);
  empty.totals();
  return empty;
}

path_book restored_paths(const run_history &history) {
  std::vector<learner_path> places;
  for (const auto &learner : history.learners) places.push_back({learner.name, learner.path});
  path_book book(places);
  for (const auto &[id, prompt] : history.prompts) {
    if (prompt.state == rollout_state::trained || prompt.state == rollout_state::dropped) continue;
    std::map<std::string, path_book::path_state> paths;
    std::set<std::string> trained, skipped;
    for (const auto &[name, path] : history.paths) {
      if (path.dropped.contains(id))
        paths[name] = path_book::path_state::dropped;
      else if (path.kept.contains(id))
        paths[name] = path_book::path_state::kept;
    }
    for (const auto &learner : history.learners)
      if (learner.has_passed(id)) (learner.has_trained_on(id) ? trained : skipped).insert(learner.name);
    book.restore(id, paths, trained, skipped, prompt.state == rollout_state::buffered);
  }
  return book;
}

shared_batches restored_buffer(order_buffer empty, const run_history &history, const std::string &path) {
  const auto &left = history.paths.at(path);
  std::map<std::string, shared_batches::place> learners;
  for (const auto *learner : history.learners_of(path))
    learners[learner->name] = {learner->version, std::max(learner->consumed, learner->version)};
  std::deque<shared_batches::batch> composed;
  for (const auto &[version, ids] : left.batches) {
    std::vector<sample_group_ptr> groups;
    for (const auto id : ids) groups.push_back(left.groups.at(id));
    composed.push_back(std::make_shared<const std::vector<sample_group_ptr>>(std::move(groups)));
  }
  group_pool pool(empty.groups_per_batch());
  for (const auto &[id, prompt] : history.prompts) {
    if (left.consumed.contains(id))
      pool.consumed(id);
    else if (!history.dropped_on(path, id))
      pool.draw(id, prompt.min_version);
  }
  for (const auto id : left.arrivals)
    if (!left.consumed.contains(id) && !history.dropped_on(path, id)) pool.put(left.groups.at(id));
  empty.restore(std::move(pool));
  return {std::move(empty), std::move(learners), std::move(composed)};
}

std::set<std::uint64_t> heard_before(const run_history &history, const std::string &path) {
  const auto &left = history.paths.at(path);
  std::set<std::uint64_t> ids;
  for (const auto &[id, prompt] : history.prompts)
    if ((prompt.state == rollout_state::waiting || prompt.state == rollout_state::partial) &&
        (left.kept.contains(id) || left.dropped.contains(id)))
      ids.insert(id);
  return ids;
}

std::map<std::uint64_t, std::int64_t> waiting_again(const run_history &history) {
  std::map<std::uint64_t, std::int64_t> waiting;
  for (const auto &[id, prompt] : history.prompts)
    if (prompt.state == rollout_state::waiting || prompt.state == rollout_state::partial)
      waiting.emplace(id, prompt.min_version);
  return waiting;
}

std::map<std::uint64_t, begun_samples> begun_again(const run_history &history) {
  std::map<std::uint64_t, begun_samples> begun;
  for (const auto &[id, prompt] : history.prompts)
    if (prompt.state == rollout_state::partial)
      begun.emplace(id, std::make_shared<const std::vector<partial_generation>>(history.begun.at(id)));
  return begun;
}

std::map<std::uint64_t, std::map<std::string, std::int64_t>> model_versions_again(
    const run_history &history) {
  std::map<std::uint64_t, std::map<std::string, std::int64_t>> waiting;
  for (const auto &[id, prompt] : history.prompts)
    if ((prompt.state == rollout_state::waiting || prompt.state == rollout_state::partial) &&
        !prompt.model_versions.empty())
      waiting.emplace(id, prompt.model_versions);
  return waiting;
}

schedule_controller restored_controller(schedule_controller controller, const run_history &history,
                                        const fs::path &metrics) {
  controller.restore(history.numbers);
  if (!fs::exists(metrics)) return controller;
  std::istringstream lines(read_text(metrics));
  for (std::string line; std::getline(lines, line);) {
    const auto update = nlohmann::json::parse(line, nullptr, false);
    if (!update.is_object()) continue;
    schedule_controller::figures figures;
    for (const auto &[name, value] : update.items())
      if (value.is_number()) figures.emplace(name, value.get<double>());
    controller.remember(update.value("update", std::int64_t{0}), figures);
  }
  return controller;
}

namespace {

// Of a line of metrics, or of an evaluation.
std::int64_t version_in(const nlohmann::json &figures, std::int64_t otherwise) {
  for (const char *name : {"update", "version"})
    if (const auto found = figures.find(name); found != figures.end() && found->is_number_integer())
      return found->get<std::int64_t>();
  return otherwise;
}

}  // namespace

void cut_metrics(const fs::path &metrics, std::int64_t version) {
  if (!fs::exists(metrics)) return;
  std::istringstream lines(read_text(metrics));
  std::string kept, line;
  while (std::getline(lines, line)) {
    const auto figures = nlohmann::json::parse(line, nullptr, false);
    if (figures.is_object() && version_in(figures, version + 1) <= version) kept += line + "\n";
  }
  write_aside(metrics, kept);
}

nlohmann::json read_by_version(const fs::path &file) {
  std::map<std::int64_t, nlohmann::json> found;
  std::istringstream lines(fs::exists(file) ? read_text(file) : std::string());
  for (std::string line; std::getline(lines, line);)
    if (auto figures = nlohmann::json::parse(line, nullptr, false); figures.is_object())
      found.insert_or_assign(version_in(figures, 0), std::move(figures));
  auto all = nlohmann::json::array();
  for (auto &[version, figures] : found) all.push_back(std::move(figures));
  return all;
}

}  // namespace slipstream
