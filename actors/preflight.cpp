#include "actors/preflight.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <variant>

#include "models/error.hpp"
#include "models/network/place.hpp"
#include "runtime/data/make.hpp"
#include "runtime/run_folder/run_folder.hpp"
#include "runtime/topology/check.hpp"
#include "runtime/topology/suggest.hpp"

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

const order_row &find_order(const topology &graph, const registry &kinds) {
  const auto &name = graph.schedule.order;
  const auto found = kinds.orders().find(name);
  if (found != kinds.orders().end()) return found->second;
  std::vector<std::string> names;
  for (const auto &[known, row] : kinds.orders()) names.push_back(known);
  fail_at(graph.schedule.place("order"), "[schedule] order = \"" + name + "\" is no order of consumption." +
                                             did_you_mean(name, names) + " There are " + listed(names));
}

/// A window given as a share of the batch, in groups.
schedule_rules in_groups(const schedule_config &schedule, std::int64_t places) {
  schedule_rules rules = schedule;
  if (schedule.window_share > 0)
    rules.window = dial_spec::constant(
        std::max<std::int64_t>(1, std::llround(schedule.window_share * static_cast<double>(places))));
  return rules;
}

/// What lets the batch of a group change after its draw breaks an exact lag.
void check_exact_lag(const topology &graph) {
  if (graph.schedule.lag != lag_rule::exactly) return;
  for (const auto &actor : graph.actors)
    if (actor.kind == "pairs")
      fail_at(actor.kind_at,
              "[actors." + actor.name +
                  "] drops groups that are rated alike, and with lag = \"exactly\" the batch of a "
                  "group must be known when it is drawn; remove lag, or use an advantage.* actor");
}

}  // namespace

preflight::preflight(topology graph, const registry &kinds) : graph_(std::move(graph)), models_(graph_) {
  check_ports(graph_, kinds.ports());
  check_one(graph_, "loader");
  check_one(graph_, "learner");
  check_devices(graph_);
  for (auto &actor : graph_.actors) plans_.push_back(kinds.find(actor.kind)->read(actor));
  order_ = find_order(graph_, kinds);
  rules_ = in_groups(graph_.schedule, places());
  check_exact_lag(graph_);
  auto derived = derive_contract(rules_, order_, group());
  if (derived.fault)
    fail_at(graph_.schedule.place(derived.fault->key), "[schedule] " + derived.fault->message);
  contract_ = std::move(derived.contract);
}

conductor preflight::dials() const {
  return {{{"lead", contract_.lead}, {"window", rules_.window}, {"publish_every", rules_.publish_every}},
          rules_.brakes};
}

order_buffer preflight::buffer() const {
  order_state settings;
  settings.window = rules_.window.first;
  settings.window_most = rules_.window.most;
  settings.late_after = contract_.late_after;
  settings.when_late = rules_.when_late;
  settings.promised = staleness_bound().has_value();
  return {order_, settings, places()};
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
  return samples_own_policy() ? contract_.bound : std::nullopt;
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
