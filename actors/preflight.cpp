#include "actors/preflight.hpp"

#include <algorithm>
#include <thread>
#include <variant>

#include "actors/placement.hpp"
#include "models/error.hpp"
#include "models/files/model_tokens.hpp"
#include "models/network/place.hpp"
#include "runtime/data/make.hpp"
#include "runtime/topology/run_date.hpp"

namespace slipstream {
namespace {

void check_devices(const topology &graph, const std::string &here) {
  for (const auto &actor : graph.actors) {
    if (!runs_on(actor, here)) continue;
    try {
      require_device(actor.device);
    } catch (const input_error &problem) {
      fail_at(actor.device_at, "[actors." + actor.name + "] " + problem.what());
    }
  }
}

}  // namespace

preflight::preflight(topology graph, const registry &kinds, const std::string &here)
    : preflight(std::move(graph), kinds, here, {}) {}

// Reading the actors, which the base does, makes the plans.
preflight::preflight(topology graph, const registry &kinds, const std::string &here,
                     std::vector<node_plan> &&plans)
    : checked_topology(std::move(graph), kinds.rows(plans), kinds.orders()),
      models_(graph_),
      plans_(std::move(plans)),
      notes_(graph_.notes) {
  check_devices(graph_, here);
}

const node_plan &preflight::plan_of(const actor_config &actor) const {
  return plans_[static_cast<std::size_t>(&actor - graph_.actors.data())];
}

void preflight::verify() {
  if (!graph_.data.make.empty())
    make_data(find_maker(graph_.data.make), graph_.data.folder, graph_.data.seed);
  for (const auto &plan : plans_)
    if (plan.verify) plan.verify(*this);
  check_links(graph_);
  for (const auto &model : graph_.models) {
    const auto &described = models_.describe(model.name);
    if (const auto *tokens = described.text ? tokens_of(*described.text) : nullptr)
      for (const auto &said : tokens->notes) note(described.folder.string() + ": " + said);
  }
}

void preflight::note(const std::string &text) {
  if (std::find(notes_.begin(), notes_.end(), text) == notes_.end()) notes_.push_back(text);
}

const std::string &preflight::date() {
  if (graph_.run.date.empty()) graph_.run.date = date_of_run(graph_.run_folder());
  return graph_.run.date;
}

std::int64_t run_cores(const topology &graph) {
  if (graph.run.threads > 0) return graph.run.threads;
  return std::max<std::int64_t>(std::thread::hardware_concurrency(), 1);
}

sample_traits samples_of(const preflight &plan, const actor_config &giver) {
  if (const auto &told = plan.plan_of(giver).samples) return *told;
  sample_traits traits;
  traits.advantages = giver.facts.role == actor_role::joiner;
  return traits;
}

const model_description &described_model(preflight &checks, const actor_config &actor) {
  const auto &name = actor.facts.model;
  if (!checks.graph().find_model(name)) {
    std::string known;
    for (const auto &model : checks.graph().models) known += (known.empty() ? "" : ", ") + model.name;
    fail_at(position_of(actor, "model"), "[actors." + actor.name + "] model = \"" + name +
                                             "\" is not among [models]: " + (known.empty() ? "none" : known) +
                                             "; add [models." + name + "] or name one of these");
  }
  return checks.models().describe(name);
}

}  // namespace slipstream
