#include "runtime/journal/resume.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <tuple>
#include <utility>

#include "models/error.hpp"
#include "models/files/json.hpp"
#include "runtime/run_folder/write.hpp"

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

std::set<std::uint64_t> consumed_ids(const run_history &history) {
  std::set<std::uint64_t> ids;
  for (const auto &batch : history.to_consume) ids.insert(batch.ids.begin(), batch.ids.end());
  return ids;
}

// The oldest weights that make tokens yet, where every prompt is made by those of its min_version.
std::int64_t oldest_needed(const run_history &history) {
  auto oldest = std::numeric_limits<std::int64_t>::max();
  for (const auto &[id, min_version] : waiting_again(history)) oldest = std::min(oldest, min_version);
  return oldest;
}

// The newest whole one of at most `most`; none: the initial weights.
std::pair<fs::path, std::int64_t> newest_checkpoint(const fs::path &folder, std::int64_t most) {
  std::pair<fs::path, std::int64_t> newest{{}, 0};
  for (const auto &entry : fs::directory_iterator(folder)) {
    if (!entry.path().filename().string().starts_with("step-") || entry.path().has_extension() ||
        !fs::exists(entry.path() / "slipstream.json"))
      continue;
    const auto version = version_of(entry.path());
    if (version <= most && version > newest.second) newest = {fs::canonical(entry.path()), version};
  }
  return newest;
}

}  // namespace

std::optional<resume_point> find_resume_point(const run_paths &paths, bool exact_lag) {
  if (!holds_journal(paths.journal)) return {};
  resume_point point;
  std::int64_t version = 0;
  if (const auto last = paths.checkpoints / "last"; fs::is_directory(last)) {
    point.checkpoint = fs::canonical(last);
    version = version_of(point.checkpoint);
  }
  point.history = read_history(paths.journal, version);
  if (point.history.opened.name.empty()) return {};  // killed before the first record
  if (const auto needed = oldest_needed(point.history); exact_lag && needed < version) {
    std::tie(point.checkpoint, version) = newest_checkpoint(paths.checkpoints, needed);
    point.history = read_history(paths.journal, version);
  }
  return point;
}

void require_same_topology(const run_paths &paths, const std::string &resolved) {
  std::istringstream before(read_text(paths.topology)), now(resolved);
  std::string old_line, new_line;
  for (int number = 1;; ++number) {
    const bool more_before = static_cast<bool>(std::getline(before, old_line));
    const bool more_now = static_cast<bool>(std::getline(now, new_line));
    if (!more_before && !more_now) return;
    if (more_before && more_now && old_line == new_line) continue;
    throw input_error(
        fmt::format("{}:{}: error: --resume: the run was begun with `{}`, the topology now says `{}`; "
                    "resume with the same keys, or begin a run of another name",
                    paths.topology.string(), number, more_before ? old_line : "nothing",
                    more_now ? new_line : "nothing"));
  }
}

ledger restored_books(ledger empty, std::int64_t batch, const run_history &history) {
  for (const auto &[id, prompt] : history.prompts) empty.restore(id, prompt.state, prompt.reason);
  empty.restore_reissued(history.reissued);
  for (const auto &[version, groups] : history.batch_groups)
    empty.forfeit(batch - groups * history.opened.group);
  empty.totals();
  return empty;
}

order_buffer restored_buffer(order_buffer empty, const run_history &history) {
  const auto consumed = consumed_ids(history);
  std::deque<std::vector<sample_group_ptr>> again;
  for (const auto &each : history.to_consume) {
    again.emplace_back();
    for (const auto id : each.ids) again.back().push_back(history.groups.at(id));
  }
  group_pool pool(empty.places());
  for (const auto &[id, prompt] : history.prompts) {
    if (prompt.consumed || consumed.contains(id))
      pool.consumed(id);
    else if (prompt.state != rollout_state::dropped)
      pool.draw(id, prompt.min_version);
  }
  for (const auto id : history.arrivals)
    if (history.prompts.at(id).state == rollout_state::buffered && !consumed.contains(id))
      pool.put(history.groups.at(id));
  empty.restore(std::move(again), std::move(pool));
  return empty;
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

conductor restored_dials(conductor dials, const run_history &history, const fs::path &metrics) {
  dials.restore(history.dials);
  if (!fs::exists(metrics)) return dials;
  std::istringstream lines(read_text(metrics));
  for (std::string line; std::getline(lines, line);) {
    const auto update = nlohmann::json::parse(line, nullptr, false);
    if (!update.is_object()) continue;
    conductor::figures figures;
    for (const auto &[name, value] : update.items())
      if (value.is_number()) figures.emplace(name, value.get<double>());
    dials.remember(update.value("update", std::int64_t{0}), figures);
  }
  return dials;
}

void cut_metrics(const fs::path &metrics, std::int64_t version) {
  if (!fs::exists(metrics)) return;
  std::istringstream lines(read_text(metrics));
  std::string kept, line;
  while (std::getline(lines, line)) {
    const auto figures = nlohmann::json::parse(line, nullptr, false);
    if (figures.is_object() && figures.value("update", version + 1) <= version) kept += line + "\n";
  }
  write_aside(metrics, kept);
}

}  // namespace slipstream
