#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <nlohmann/json.hpp>

#include "actors/commands/rows.hpp"
#include "models/error.hpp"
#include "runtime/journal/history.hpp"
#include "runtime/journal/story.hpp"
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

}  // namespace

command ledger_row() {
  return row<ledger_arguments>(
      "ledger", "where a run's prompts are, by its journal", [](CLI::App &app, ledger_arguments &arguments) {
        app.add_option("run", arguments.run, "run folder")->required();
        app.add_option("--prompt", arguments.prompt, "the history of one prompt, by its id")
            ->check(CLI::NonNegativeNumber);
        app.add_flag("--json", arguments.json, "print JSON");
      });
}

int execute(const ledger_arguments &arguments) {
  const auto journal = run_paths(arguments.run).journal;
  if (arguments.prompt >= 0) {
    const auto story = read_story(journal, static_cast<std::uint64_t>(arguments.prompt));
    if (story.empty())
      throw input_error(fmt::format("--prompt {}: the run drew no such prompt", arguments.prompt));
    fmt::print("{}\n", arguments.json ? to_json(story).dump(2) : to_string(story));
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
