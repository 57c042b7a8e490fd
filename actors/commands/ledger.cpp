#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "actors/commands/commands.hpp"
#include "models/error.hpp"
#include "runtime/journal/history.hpp"
#include "runtime/run_folder/run_folder.hpp"

namespace slipstream {
namespace {

using nlohmann::json;

json totals_json(const run_history &history) {
  const auto totals = history.totals();
  json result = {
      {"drawn", totals.drawn},       {"waiting", totals.waiting},      {"running", totals.running},
      {"partial", totals.partial},   {"finished", totals.finished},    {"buffered", totals.buffered},
      {"trained", totals.trained},   {"dropped", totals.dropped},      {"in_flight", totals.in_flight()},
      {"reissued", totals.reissued}, {"continued", history.continued}, {"closes", true},
      {"ended", history.closed}};
  const bool whole = !history.damage || history.damage->torn;
  result["closes"] = whole && history.fault.empty() &&
                     totals.drawn == totals.trained + totals.dropped_total() + totals.in_flight();
  if (!history.fault.empty()) result["fault"] = history.fault;
  result["prompts"] = history.prompts.size();
  if (history.damage) result["damage"] = to_string(*history.damage);
  return result;
}

void print_totals(const json &totals) {
  for (const char *state : {"drawn", "waiting", "running", "partial", "finished", "buffered", "trained"})
    fmt::print("{:<10} {:>10}\n", state, totals[state].get<std::int64_t>());
  for (const auto &[reason, count] : totals["dropped"].items())
    fmt::print("{:<10} {:>10}  {}\n", "dropped", count.get<std::int64_t>(), reason);
  for (const char *again : {"reissued", "continued"})
    fmt::print("{:<10} {:>10}\n", again, totals[again].get<std::int64_t>());
  fmt::print("{}{}\n", totals["closes"].get<bool>() ? "The sums close." : "The sums do NOT close.",
             totals["ended"].get<bool>() || !totals["closes"].get<bool>()
                 ? ""
                 : " The run has not ended in order; run --resume goes on with it.");
  if (totals.contains("fault")) fmt::print("{}\n", totals["fault"].get<std::string>());
  if (totals.contains("damage")) fmt::print("{}\n", totals["damage"].get<std::string>());
}

// What happened to one prompt, in the order of the journal.
class prompt_story {
 public:
  explicit prompt_story(std::uint64_t id) : id_(id) {}

  void add(const journal_record &record) {
    if (begin_ == 0) begin_ = record.time_ns;
    if (const auto *drawn = std::get_if<prompt_drawn>(&record.event); drawn && drawn->id == id_)
      tell(record, "waiting",
           fmt::format("drawn; no token by weights older than version {}", drawn->min_version));
    if (const auto *moved = std::get_if<prompt_moved>(&record.event); moved && moved->id == id_)
      tell(record, std::string(to_string(moved->to)), moved->cause);
    if (const auto *kept = std::get_if<group_kept>(&record.event); kept && kept->group->id == id_)
      keep(record, *kept);
    if (const auto *progress = std::get_if<group_progress>(&record.event); progress && progress->id == id_)
      go_on(record, *progress);
    if (const auto *batch = std::get_if<batch_consumed>(&record.event))
      if (std::find(batch->ids.begin(), batch->ids.end(), id_) != batch->ids.end())
        tell(record, "consumed", fmt::format("for version {}", batch->version));
    if (const auto *resumed = std::get_if<run_resumed>(&record.event); resumed && !story_.empty())
      tell(record, "resumed", fmt::format("the run went on from version {}", resumed->version));
  }
  const json &story() const { return story_; }

 private:
  void keep(const journal_record &record, const group_kept &kept) {
    std::int64_t oldest = -1, tokens = 0;
    for (const auto &each : kept.group->samples) {
      tokens += static_cast<std::int64_t>(each.tokens.size());
      for (const auto version : each.versions) oldest = oldest < 0 ? version : std::min(oldest, version);
    }
    tell(record, "kept",
         fmt::format("{} samples of {} tokens{}", kept.group->samples.size(), tokens,
                     oldest < 0 ? "" : fmt::format(", the oldest by version {}", oldest)));
  }
  void go_on(const journal_record &record, const group_progress &progress) {
    const auto ended = std::count_if(progress.samples.begin(), progress.samples.end(),
                                     [](const auto &each) { return each.ended; });
    tell(record, "progress",
         fmt::format("{} tokens more; {} of {} samples have ended", token_count(progress.samples), ended,
                     progress.samples.size()));
  }
  void tell(const journal_record &record, const std::string &state, const std::string &cause) {
    story_.push_back({{"seconds", static_cast<double>(record.time_ns - begin_) / 1e9},
                      {"state", state},
                      {"cause", cause}});
  }

  std::uint64_t id_;
  std::int64_t begin_ = 0;
  json story_ = json::array();
};

}  // namespace

int ledger_command(const ledger_arguments &arguments) {
  const auto journal = run_paths(arguments.run).journal;
  if (arguments.prompt >= 0) {
    prompt_story story(static_cast<std::uint64_t>(arguments.prompt));
    read_journal(journal, [&](const journal_record &record) { story.add(record); });
    if (story.story().empty())
      throw input_error(fmt::format("--prompt {}: the run drew no such prompt", arguments.prompt));
    if (arguments.json) {
      fmt::print("{}\n", story.story().dump(2));
      return 0;
    }
    for (const auto &line : story.story())
      fmt::print("{:>10.3f} s  {:<9} {}\n", line["seconds"].get<double>(), line["state"].get<std::string>(),
                 line["cause"].get<std::string>());
    return 0;
  }
  const json totals = totals_json(read_history(journal));
  if (arguments.json)
    fmt::print("{}\n", totals.dump(2));
  else
    print_totals(totals);
  return 0;
}

}  // namespace slipstream
