#include "actors/run_summary.hpp"

#include <utility>

#include "actors/kinds/evaluator_plan.hpp"
#include "models/error.hpp"
#include "runtime/run_folder/json_lines.hpp"
#include "runtime/run_folder/write.hpp"
#include "runtime/topology/renamed_keys.hpp"

namespace slipstream {

std::filesystem::path evaluations_file(const run_paths &paths, const std::string &evaluator) {
  return paths.folder / ("evaluations." + evaluator + ".jsonl");
}

void keep_old_causes(nlohmann::json &summary) {
  if (!summary.contains("ledger") || !summary["ledger"].contains("dropped")) return;
  auto causes = nlohmann::json::object();
  for (const auto &[cause, rollouts] : summary["ledger"]["dropped"].items())
    causes[old_cause(cause)] = rollouts;
  summary["ledger"]["dropped"] = std::move(causes);
}

nlohmann::json summarise(const preflight &plan, const run_paths &paths, const nlohmann::json &result) {
  nlohmann::json summary = {{"name", plan.graph().run.name}, {"seed", plan.graph().run.seed},
                            {"status", result.at("status")}, {"exit_code", result.at("exit_code")},
                            {"staleness_bound", nullptr},    {"eval", nlohmann::json::object()}};
  if (const auto bound = plan.staleness_bound()) summary["staleness_bound"] = *bound;
  if (result.contains("error")) summary["error"] = result["error"];
  if (result.contains("ledger")) summary["ledger"] = result["ledger"];
  if (result.contains("record")) summary.update(result["record"]);
  for (const auto &actor : plan.graph().actors) {
    const auto report = result.at("reports").find(actor.name);
    if (report == result.at("reports").end()) continue;
    if (is_evaluator(plan, actor)) {
      summary["eval"].update(*report);
      summary["eval_history"][actor.name] = read_by_version(evaluations_file(paths, actor.name));
    } else if (actor.facts.role == actor_role::learner && &actor != &plan.learner()) {
      summary["learners"][actor.name] = *report;
    } else {
      summary.update(*report);
    }
  }
  return summary;
}

void keep_summary(const std::filesystem::path &file, nlohmann::json &summary) {
  try {
    write_summary(file, summary);
  } catch (const run_error &problem) {
    summary["error"] = summary.contains("error") ? summary["error"].get<std::string>() + "; " + problem.what()
                                                 : problem.what();
    summary["status"] = "failed";
    if (summary["exit_code"] == 0) summary["exit_code"] = 1;
  }
}

}  // namespace slipstream
