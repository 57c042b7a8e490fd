#include "runtime/laboratory/comparison.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

namespace slipstream {
namespace {

struct figure_kind {
  std::string key, title;
  int digits;
};

// In the order of the table. A key that ends in "." stands for one figure an actor or evaluation.
const std::vector<figure_kind> &kinds() {
  static const std::vector<figure_kind> all{
      {"reward", "reward, last tenth", 3},
      {"loss", "loss, last tenth", 4},
      {"eval.", "held-out ", 3},
      {"updates", "updates", 0},
      {"seconds", "seconds", 1},
      {"update_seconds", "seconds an update", 4},
      {"device_seconds", "device seconds", 1},
      {"generated_tokens", "tokens generated", 0},
      {"trained_tokens", "of these trained on", 0},
      {"waste", "not trained on, share", 4},
      {"staleness_bound", "staleness, bound", 0},
      {"staleness_mean", "staleness, mean of tokens", 3},
      {"staleness_max", "staleness, largest", 2},
      {"busy.", "busy, share: ", 3},
      {"queued.", "waiting for cores, share: ", 3},
      {"waiting.", "waiting for work, share: ", 3},
      {"wait_mean", "finished group waits, mean s", 4},
      {"wait_max", "finished group waits, longest s", 3},
      {"wait_versions_max", "finished group waits, most batches", 2},
      {"open_max", "oldest open draw, s", 3},
      {"length_trained", "length, trained", 2},
      {"length_bias", "length, trained - generated", 3},
      {"length_shift", "length, trained - synchronous", 3},
      {"reward_trained", "reward, trained", 3},
      {"reward_bias", "reward, trained - generated", 4},
      {"reward_shift", "reward, trained - synchronous", 4},
      {"difficulty_trained", "row reward, trained", 3},
      {"difficulty_bias", "row reward, trained - generated", 4},
      {"difficulty_shift", "row reward, trained - synchronous", 4},
  };
  return all;
}

bool same_but_staleness(const sweep_arm &a, const sweep_arm &b) {
  constexpr std::string_view key = "schedule.max_staleness=";
  const auto rest = [&](sweep_arm arm) {
    std::erase_if(arm.overrides, [&](const std::string &each) { return each.starts_with(key); });
    return arm.overrides;
  };
  return rest(a) == rest(b);
}

const run_figures *figures_of(const compared_arm &arm, std::uint64_t seed) {
  for (const auto &run : arm.runs)
    if (run.seed == seed && run.figures) return &*run.figures;
  return nullptr;
}

// What was trained on against what the synchronous run of the same seed generated.
void add_shift(run_figures &run, const run_figures &synchronous) {
  for (const std::string key : {"length", "reward", "difficulty"}) {
    const auto here = run.values.find(key + "_trained");
    const auto there = synchronous.values.find(key + "_generated");
    if (here != run.values.end() && there != synchronous.values.end())
      run.values[key + "_shift"] = here->second - there->second;
  }
}

void add_biases(std::vector<compared_arm> &arms) {
  for (auto &arm : arms)
    for (auto &run : arm.runs) {
      if (!run.figures) continue;
      const auto *baseline = arm.synchronous ? figures_of(arms[*arm.synchronous], run.seed) : nullptr;
      add_bias(*run.figures, row_rewards(baseline != nullptr ? *baseline : *run.figures));
    }
  for (auto &arm : arms)
    for (auto &run : arm.runs) {
      const auto *baseline = arm.synchronous ? figures_of(arms[*arm.synchronous], run.seed) : nullptr;
      if (run.figures && baseline != nullptr) add_shift(*run.figures, *baseline);
    }
}

std::map<std::uint64_t, double> values_of(const compared_arm &arm, const std::string &key) {
  std::map<std::uint64_t, double> values;
  for (const auto &run : arm.runs)
    if (run.figures)
      if (const auto found = run.figures->values.find(key); found != run.figures->values.end())
        values[run.seed] = found->second;
  return values;
}

figure_row make_row(const comparison &compared, const std::string &key, const std::string &title,
                    int digits) {
  figure_row row{key, title, digits, {}};
  const auto first = values_of(compared.arms.front(), key);
  for (std::size_t i = 0; i < compared.arms.size(); ++i) {
    const auto values = values_of(compared.arms[i], key);
    std::vector<double> plain;
    for (const auto &[seed, value] : values) plain.push_back(value);
    figure_cell cell{estimate_mean(plain), {}};
    if (i > 0 && compared.unpaired.empty()) cell.difference = paired_difference(values, first);
    row.cells.push_back(cell);
  }
  return row;
}

void add_rows(comparison &compared) {
  std::set<std::string> keys;
  for (const auto &arm : compared.arms)
    for (const auto &run : arm.runs)
      if (run.figures)
        for (const auto &[key, value] : run.figures->values) keys.insert(key);
  for (const auto &kind : kinds())
    for (const auto &key : keys) {
      const bool family = kind.key.back() == '.' && key.starts_with(kind.key);
      if (!family && key != kind.key) continue;
      const auto title = family ? kind.title + key.substr(kind.key.size()) : kind.title;
      compared.rows.push_back(make_row(compared, key, title, kind.digits));
    }
}

// A number that rounds to zero has no sign, unless one is asked for.
std::string rounded(double value, int digits, bool with_sign = false) {
  const auto plain = fmt::format("{:.{}f}", value, digits);
  if (plain.find_first_not_of("-0.") == std::string::npos) value = 0;
  return with_sign ? fmt::format("{:+.{}f}", value, digits) : fmt::format("{:.{}f}", value, digits);
}

std::string cell_text(const figure_cell &cell, int digits) {
  if (!cell.value) return "-";
  auto text = rounded(cell.value->mean, digits);
  if (cell.value->count > 1) text += fmt::format(" ± {:.{}f}", cell.value->half_width(), digits);
  if (!cell.difference) return text;
  text += " (" + rounded(cell.difference->mean, digits, true);
  if (cell.difference->count > 1) text += fmt::format(" ± {:.{}f}", cell.difference->half_width(), digits);
  return text + ")";
}

nlohmann::json estimate_json(const std::optional<estimate> &value) {
  if (!value) return nullptr;
  return {{"seeds", value->count}, {"mean", value->mean}, {"low", value->low}, {"high", value->high}};
}

nlohmann::json run_json(const compared_run &run) {
  nlohmann::json result = {{"seed", run.seed}, {"run", run.name}, {"finished", run.figures.has_value()}};
  if (!run.problem.empty()) result["problem"] = run.problem;
  if (!run.figures) return result;
  result["figures"] = run.figures->values;
  result["wasted"] = run.figures->wasted;
  for (const auto &[age, tokens] : run.figures->token_ages)
    result["token_ages"][std::to_string(age)] = tokens;
  return result;
}

}  // namespace

std::string stream_difference(const compared_run &a, const compared_run &b) {
  if (!a.figures || !b.figures) return "";
  for (const auto &[draw, place] : a.figures->draws) {
    const auto other = b.figures->draws.find(draw);
    if (other != b.figures->draws.end() && other->second != place)
      return fmt::format("draw {} is row {} of epoch {} in {} and row {} of epoch {} in {}", draw,
                         place.second, place.first, a.name, other->second.second, other->second.first,
                         b.name);
  }
  return "";
}

comparison compare_arms(std::vector<compared_arm> arms) {
  comparison compared;
  for (auto &arm : arms)
    for (std::size_t i = 0; i < arms.size() && !arm.synchronous; ++i)
      if (arms[i].max_staleness == 0 && same_but_staleness(arms[i].arm, arm.arm)) arm.synchronous = i;
  add_biases(arms);
  compared.arms = std::move(arms);
  bool rewarded = false;
  for (const auto &arm : compared.arms)
    for (std::size_t i = 0; i < arm.runs.size(); ++i) {
      rewarded = rewarded || (arm.runs[i].figures && arm.runs[i].figures->values.contains("reward"));
      if (compared.unpaired.empty())
        compared.unpaired = stream_difference(compared.arms.front().runs[i], arm.runs[i]);
    }
  if (!rewarded) compared.metric = "loss";
  add_rows(compared);
  return compared;
}

std::vector<std::vector<std::string>> table_cells(const comparison &compared) {
  std::vector<std::vector<std::string>> cells{{"figure"}, {"seeds finished"}};
  for (const auto &arm : compared.arms) {
    const auto finished = std::count_if(arm.runs.begin(), arm.runs.end(),
                                        [](const auto &run) { return run.figures.has_value(); });
    cells[0].push_back(arm.arm.label);
    cells[1].push_back(fmt::format("{} of {}", finished, arm.runs.size()));
  }
  for (const auto &row : compared.rows) {
    cells.push_back({row.title});
    for (const auto &cell : row.cells) cells.back().push_back(cell_text(cell, row.digits));
  }
  return cells;
}

std::string table_text(const comparison &compared) {
  std::string text;
  for (auto line : table_cells(compared)) {
    for (auto &cell : line)
      for (auto bar = cell.find('|'); bar != std::string::npos; bar = cell.find('|', bar + 2))
        cell.insert(bar, "\\");
    const bool head = text.empty();
    text += fmt::format("| {} |\n", fmt::join(line, " | "));
    if (!head) continue;
    text += "|---|";
    for (std::size_t i = 1; i < line.size(); ++i) text += "---:|";
    text += "\n";
  }
  return text;
}

nlohmann::json comparison_json(const comparison &compared) {
  nlohmann::json result = {
      {"metric", compared.metric}, {"paired", compared.unpaired.empty()}, {"arms", nlohmann::json::array()}};
  if (!compared.unpaired.empty()) result["unpaired"] = compared.unpaired;
  for (std::size_t i = 0; i < compared.arms.size(); ++i) {
    const auto &arm = compared.arms[i];
    nlohmann::json entry = {{"label", arm.arm.label}, {"overrides", arm.arm.overrides}};
    entry["synchronous"] =
        arm.synchronous ? nlohmann::json(compared.arms[*arm.synchronous].arm.label) : nlohmann::json();
    for (const auto &run : arm.runs) entry["runs"].push_back(run_json(run));
    entry["figures"] = nlohmann::json::object();
    for (const auto &row : compared.rows)
      entry["figures"][row.key] = {{"value", estimate_json(row.cells[i].value)},
                                   {"difference", estimate_json(row.cells[i].difference)}};
    result["arms"].push_back(std::move(entry));
  }
  return result;
}

}  // namespace slipstream
