#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "actors/commands/arguments.hpp"
#include "actors/preflight.hpp"
#include "models/error.hpp"
#include "runtime/plumbing/say.hpp"

namespace slipstream {
namespace {

nlohmann::json describe(preflight &plan) {
  const auto &graph = plan.graph();
  nlohmann::json result = {{"file", graph.source.string()},
                           {"run", graph.run.name},
                           {"max_staleness", nullptr},
                           {"group", plan.group()},
                           {"order", graph.schedule.order},
                           {"ages", plan.samples_own_policy()},
                           {"admission_lead", plan.contract().lead.most},
                           {"admission_lead_least", plan.contract().lead.least},
                           {"why", plan.contract().why},
                           {"rollouts_in_flight_max", plan.in_flight_bound()}};
  if (const auto bound = plan.staleness_bound()) result["max_staleness"] = *bound;
  for (const auto &[model, bound] : plan.model_bounds()) {
    result["model_staleness"][model] = nullptr;
    if (bound) result["model_staleness"][model] = *bound;
  }
  for (const auto *learner : plan.learners()) {
    const auto ranks = learner->facts.ranks;
    if (ranks == 1) continue;
    result["replicas"][learner->name] = {
        {"ranks", ranks}, {"threads", ranks * learner->facts.threads}, {"cores", run_cores(graph)}};
  }
  for (const auto &model : graph.models) {
    const auto parameters = parameter_count(plan.models().describe(model.name).spec);
    result["models"][model.name] = {{"parameters", parameters}, {"bytes", parameters * 4}};
  }
  return result;
}

void print(const nlohmann::json &checked) {
  fmt::print("{}: ok\n", checked["file"].get<std::string>());
  const auto lead = checked["admission_lead"].get<std::int64_t>(),
             least = checked["admission_lead_least"].get<std::int64_t>();
  if (!checked["ages"].get<bool>())
    fmt::print("  staleness: nothing ages here (no sampler follows the learner)\n");
  else if (checked["max_staleness"].is_null())
    fmt::print("  staleness: NO PROMISE (allow_unbounded_staleness = true)\n");
  else
    fmt::print("  staleness: at most {} versions, for every token\n", checked["max_staleness"].get<int>());
  if (checked["ages"].get<bool>())
    fmt::print(
        "  admission lead: {}{} ({}): a group for batch b is drawn only while b <= the sampler's version + "
        "lead\n",
        least == lead ? "" : fmt::format("{} to ", least), lead, checked["why"].get<std::string>());
  if (checked.contains("model_staleness"))
    for (const auto &[model, bound] : checked["model_staleness"].items())
      fmt::print("  staleness of {}: {}\n", model,
                 bound.is_null()
                     ? "no promise in this order"
                     : fmt::format("its figures are at most {} of its versions old", bound.get<int>()));
  fmt::print("  in flight: at most {} rollouts\n", checked["rollouts_in_flight_max"].get<std::int64_t>());
  if (checked.contains("replicas"))
    for (const auto &[name, learner] : checked["replicas"].items())
      fmt::print("  {}: {} replicas, {} threads at one moment of the run's {} cores\n", name,
                 learner["ranks"].get<std::int64_t>(), learner["threads"].get<std::int64_t>(),
                 learner["cores"].get<std::int64_t>());
  for (const auto &[name, model] : checked["models"].items())
    fmt::print("  model {}: {} parameters, {:.1f} MB a copy\n", name, model["parameters"].get<std::int64_t>(),
               model["bytes"].get<double>() / 1e6);
}

}  // namespace

int execute(const check_arguments &arguments) {
  registry kinds;
  register_builtin(kinds);
  std::set<std::string> earlier;
  auto all = nlohmann::json::array();
  for (auto &graph : read_topologies(arguments.files, arguments.overrides)) {
    preflight plan(std::move(graph), kinds);
    if (plan.waits_for(earlier)) {
      say(fmt::format("{}: ok so far; models of earlier runs are looked at when those have ended\n",
                      plan.graph().source.string()));
    } else {
      plan.verify();
      for (const auto &note : plan.notes()) say(fmt::format("{}: {}\n", plan.graph().source.string(), note));
      all.push_back(describe(plan));
      if (!arguments.json) print(all.back());
    }
    earlier.insert(plan.graph().run.name);
  }
  if (arguments.json) fmt::print("{}\n", all.size() == 1 ? all[0].dump(2) : all.dump(2));
  return 0;
}

}  // namespace slipstream
