#include "actors/preflight.hpp"

#include <algorithm>
#include <functional>
#include <variant>

#include "models/error.hpp"
#include "models/network/place.hpp"
#include "runtime/data/make.hpp"
#include "runtime/run_folder/run_folder.hpp"
#include "runtime/topology/check.hpp"

namespace slipstream {
namespace {

void check_one(const topology &graph, const std::string &kind) {
  const actor_config *first = nullptr;
  for (const auto &actor : graph.actors) {
    if (actor.kind != kind) continue;
    if (first)
      fail_at(actor.kind_at, "[actors." + actor.name + "] is a second " + kind + " beside [actors." +
                                 first->name + "]; this version runs one " + kind + " a topology");
    first = &actor;
  }
  if (!first)
    throw input_error(graph.source.string() + ": error: there is no actor of kind \"" + kind + "\"; add one");
}

void check_devices(const topology &graph) {
  for (const auto &actor : graph.actors) {
    try {
      require_device(actor.device);
    } catch (const input_error &problem) {
      fail_at(actor.device_at, "[actors." + actor.name + "] " + problem.what());
    }
  }
}

}  // namespace

preflight::preflight(topology graph, const registry &kinds) : graph_(std::move(graph)), models_(graph_) {
  check_ports(graph_, kinds.ports());
  check_one(graph_, "loader");
  check_one(graph_, "learner");
  check_devices(graph_);
  for (auto &actor : graph_.actors) plans_.push_back(kinds.find(actor.kind)->read(actor));
}

void preflight::verify() {
  if (!graph_.data.make.empty())
    make_data(find_maker(graph_.data.make), graph_.data.folder, graph_.data.seed);
  for (const auto &plan : plans_)
    if (plan.verify) plan.verify(*this);
}

void preflight::note(const std::string &text) {
  if (std::find(notes_.begin(), notes_.end(), text) == notes_.end()) notes_.push_back(text);
}

bool preflight::waits_for(const std::set<std::string> &earlier) const {
  return std::any_of(graph_.models.begin(), graph_.models.end(), [&](const auto &model) {
    return model.from.rfind("run:", 0) == 0 && earlier.count(model.from.substr(4)) > 0;
  });
}

std::vector<std::size_t> preflight::spawn_order() const {
  std::vector<std::size_t> order;
  std::set<std::string> done;
  const std::function<void(std::size_t)> visit = [&](std::size_t index) {
    if (!done.insert(graph_.actors[index].name).second) return;
    for (const auto *taker : takers(graph_.actors[index].name))
      visit(static_cast<std::size_t>(taker - graph_.actors.data()));
    order.push_back(index);
  };
  for (std::size_t i = 0; i < graph_.actors.size(); ++i) visit(i);
  return order;
}

const actor_config &preflight::learner() const {
  return *std::find_if(graph_.actors.begin(), graph_.actors.end(),
                       [](const auto &a) { return a.kind == "learner"; });
}

const actor_config &preflight::loader() const {
  return *std::find_if(graph_.actors.begin(), graph_.actors.end(),
                       [](const auto &a) { return a.kind == "loader"; });
}

std::string preflight::learned_model() const {
  return text_key(learner(), "model");
}

std::vector<const actor_config *> preflight::takers(const std::string &name) const {
  std::vector<const actor_config *> result;
  for (const auto &actor : graph_.actors)
    if (std::any_of(actor.takes.begin(), actor.takes.end(), [&](const auto &t) { return t.name == name; }))
      result.push_back(&actor);
  return result;
}

std::vector<const actor_config *> preflight::givers(const actor_config &actor) const {
  std::vector<const actor_config *> result;
  for (const auto &entry : actor.takes) result.push_back(graph_.find_actor(entry.name));
  return result;
}

const actor_config *preflight::upstream(const actor_config &actor, const std::string &kind) const {
  for (const auto *giver : givers(actor)) {
    if (giver->kind == kind) return giver;
    if (const auto *further = upstream(*giver, kind)) return further;
  }
  return nullptr;
}

std::int64_t preflight::group() const {
  const auto *sampler = upstream(learner(), "sampler");
  return sampler ? static_cast<std::int64_t>(number_key(*sampler, "group", 1)) : 1;
}

bool preflight::samples_own_policy() const {
  const auto *sampler = upstream(learner(), "sampler");
  return sampler && text_key(*sampler, "model") == learned_model();
}

std::optional<std::int64_t> preflight::staleness_bound() const {
  if (!samples_own_policy()) return {};
  return graph_.schedule.max_staleness;
}

std::string text_key(const actor_config &actor, const std::string &key) {
  const auto *value = actor.node.find(key);
  const auto *text = value ? value->as_text() : nullptr;
  return text ? *text : std::string();
}

double number_key(const actor_config &actor, const std::string &key, double otherwise) {
  const auto *value = actor.node.find(key);
  if (!value) return otherwise;
  if (const auto *whole = value->as_integer()) return static_cast<double>(*whole);
  const auto *real = std::get_if<double>(&value->value);
  return real ? *real : otherwise;
}

const model_description &described_model(preflight &checks, const actor_config &actor) {
  const auto name = text_key(actor, "model");
  if (!checks.graph().find_model(name)) {
    const auto *value = actor.node.find("model");
    std::string known;
    for (const auto &model : checks.graph().models) known += (known.empty() ? "" : ", ") + model.name;
    fail_at(value ? value->at : actor.at,
            "[actors." + actor.name + "] model = \"" + name + "\" is not among [models]: " +
                (known.empty() ? "none" : known) + "; add [models." + name + "] or name one of these");
  }
  return checks.models().describe(name);
}

}  // namespace slipstream
