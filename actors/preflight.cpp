#include "actors/preflight.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <thread>
#include <variant>

#include "actors/placement.hpp"
#include "models/error.hpp"
#include "models/files/model_tokens.hpp"
#include "models/network/place.hpp"
#include "runtime/data/make.hpp"
#include "runtime/run_folder/run_folder.hpp"
#include "runtime/topology/check.hpp"
#include "runtime/topology/run_date.hpp"
#include "runtime/topology/suggest.hpp"

namespace slipstream {
namespace {

using actors = std::vector<const actor_config *>;

actors of_kind(const topology &graph, const std::string &kind) {
  actors result;
  for (const auto &actor : graph.actors)
    if (actor.kind == kind) result.push_back(&actor);
  return result;
}

/// A learner takes its samples from one actor; demonstrations that it learns beside them come from a loader,
/// which then stands last in `takes`.
void put_loaders_last(topology &graph) {
  for (auto &actor : graph.actors)
    if (actor.kind == "learner")
      std::stable_partition(actor.takes.begin(), actor.takes.end(),
                            [&](const auto &each) { return graph.find_actor(each.name)->kind != "loader"; });
}

bool gives_demonstrations_only(const topology &graph, const actor_config &loader) {
  return std::all_of(graph.actors.begin(), graph.actors.end(), [&](const auto &actor) {
    const auto taken = std::find_if(actor.takes.begin(), actor.takes.end(),
                                    [&](const auto &each) { return each.name == loader.name; });
    return taken == actor.takes.end() || (actor.kind == "learner" && taken != actor.takes.begin());
  });
}

/// The loader whose lines the ledger keeps the books of.
const actor_config *find_loader(const topology &graph) {
  const actor_config *found = nullptr;
  for (const auto *loader : of_kind(graph, "loader")) {
    if (gives_demonstrations_only(graph, *loader)) continue;
    if (found)
      fail_at(loader->kind_at, "[actors." + loader->name + "] is a second loader beside [actors." +
                                   found->name + "]; draw all prompts of a topology from one, or let a " +
                                   "learner take demonstrations from it beside its samples");
    found = loader;
  }
  if (!found)
    throw input_error(graph.source.string() + ": error: there is no actor of kind \"loader\" that draws " +
                      "prompts or training data; add one");
  return found;
}

source_position place_of(const actor_config &actor, const std::string &key) {
  const auto *value = actor.node.find(key);
  return value ? value->at : actor.at;
}

void check_learned_once(const topology &graph) {
  const auto learners = of_kind(graph, "learner");
  for (const auto *learner : learners)
    for (const auto *other : learners) {
      const auto model = text_key(*learner, "model");
      if (other < learner && text_key(*other, "model") == model)
        fail_at(place_of(*learner, "model"),
                "[actors." + learner->name + "] trains \"" + model + "\", which [actors." + other->name +
                    "] trains too; give each learner a model of its own, as with " + "copy_of");
    }
}

void check_learner(const topology &graph, const actor_config &learner, std::size_t index) {
  const auto further = graph.find_actor(learner.takes.size() > 1 ? learner.takes[1].name : learner.name);
  if (learner.takes.size() > 2 || (further != &learner && further->kind != "loader"))
    fail_at(learner.takes[1].at, "[actors." + learner.name +
                                     "] takes from two actors; a learner takes its samples from one, and " +
                                     "beside it perhaps demonstrations from a loader");
  if (index > 0 && (learner.name == "last" || learner.name.rfind("step-", 0) == 0))
    fail_at(learner.at, "[actors." + learner.name +
                            "] would put its checkpoints where the main learner's are; " +
                            "give it another name");
}

/// The learner whose model is sampled from; with one learner, that one.
const actor_config *find_main(const topology &graph) {
  const auto learners = of_kind(graph, "learner");
  const actor_config *main = nullptr;
  for (const auto *sampler : of_kind(graph, "sampler"))
    for (const auto *learner : learners) {
      if (text_key(*learner, "model") != text_key(*sampler, "model")) continue;
      if (main && main != learner)
        fail_at(place_of(*sampler, "model"),
                "[actors." + sampler->name + "] samples from \"" + text_key(*sampler, "model") +
                    "\", another learned model than \"" + text_key(*main, "model") +
                    "\"; this version samples from one learned model a topology");
      main = learner;
    }
  if (!main && learners.size() > 1)
    fail_at(learners[1]->kind_at, "[actors." + learners[1]->name + "] is a second learner beside [actors." +
                                      learners[0]->name +
                                      "], and no sampler draws from a model of theirs, so that neither leads "
                                      "the run; sample from one " +
                                      "of the two models, or make two runs");
  return main ? main : learners.front();
}

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
void check_exact_lag(const topology &graph, const std::string &main_path) {
  if (graph.schedule.lag != lag_rule::exactly) return;
  for (const auto &actor : graph.actors) {
    const bool refills = text_key(actor, "zero_groups") == "refill";
    if (actor.name == main_path && (actor.kind == "pairs" || refills))
      fail_at(refills ? place_of(actor, "zero_groups") : actor.kind_at,
              "[actors." + actor.name +
                  "] drops groups that are rated alike, and with lag = \"exactly\" the batch of a "
                  "group must be known when it is drawn; remove lag, or " +
                  (refills ? "write zero_groups = \"skip\"" : "use an advantage.* actor"));
  }
}

}  // namespace

preflight::preflight(topology graph, const registry &kinds, const std::string &here)
    : graph_(std::move(graph)), models_(graph_) {
  check_ports(graph_, kinds.ports());
  put_loaders_last(graph_);
  loader_ = find_loader(graph_);
  check_devices(graph_, here);
  for (auto &actor : graph_.actors) plans_.push_back(kinds.find(actor.kind)->read(actor));
  check_learned_once(graph_);
  main_ = find_main(graph_);
  std::size_t index = 0;
  for (const auto *learner : learners()) check_learner(graph_, *learner, index++);
  order_ = find_order(graph_, kinds);
  rules_ = in_groups(graph_.schedule, places());
  check_exact_lag(graph_, main_->takes.front().name);
  auto derived = derive_contract(rules_, order_, group());
  if (derived.fault)
    fail_at(graph_.schedule.place(derived.fault->key), "[schedule] " + derived.fault->message);
  contract_ = std::move(derived.contract);
  check_placement(*this, kinds);
  check_capacity();
}

/// Where a learner keeps a pace of its own, an unfinished batch of its may stand in the way of the main
/// one's.
void preflight::check_capacity() const {
  const auto &schedule = graph_.schedule;
  const auto all = learners();
  const bool one_pace = std::all_of(all.begin(), all.end(), [&](const auto *each) { return in_step(*each); });
  if (one_pace || schedule.max_in_flight == 0 || schedule.max_in_flight >= 2 * schedule.batch) return;
  fail_at(schedule.place("max_in_flight"),
          "[schedule] max_in_flight = " + std::to_string(schedule.max_in_flight) +
              " could leave the learners waiting for each other: they take from several actors, and an "
              "unfinished " +
              "batch of one must not stand in the way of another's; set it to " +
              std::to_string(2 * schedule.batch) + " or more");
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

order_buffer preflight::side_buffer() const {
  order_state settings;
  settings.promised = false;
  return {order_rows().front(), settings, places()};
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
  return *main_;
}

std::vector<const actor_config *> preflight::learners() const {
  auto all = of_kind(graph_, "learner");
  std::stable_partition(all.begin(), all.end(), [this](const auto *learner) { return learner == main_; });
  return all;
}

std::vector<learner_place> preflight::learner_places() const {
  std::vector<learner_place> places;
  for (const auto *learner : learners()) places.push_back({learner->name, learner->takes.front().name});
  return places;
}

bool preflight::in_step(const actor_config &learner) const {
  return learner.takes.front().name == main_->takes.front().name;
}

const actor_config *preflight::learner_of(const std::string &model) const {
  for (const auto *learner : learners())
    if (text_key(*learner, "model") == model) return learner;
  return nullptr;
}

const actor_config &preflight::loader() const {
  return *loader_;
}

const actor_config *preflight::demonstrations(const actor_config &learner) const {
  return learner.takes.size() > 1 ? graph_.find_actor(learner.takes[1].name) : nullptr;
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

bool preflight::feeds(const actor_config &giver, const actor_config &taker) const {
  for (const auto *other : givers(taker))
    if (other == &giver || feeds(giver, *other)) return true;
  return false;
}

// A model in step with the main learner's ages as a group's oldest token does. Of one that is not: between
// the draw of a group and the batch it is trained in stand at most the rollouts in flight at its draw and
// those drawn since (docs/architecture.md); that needs an order in which the place of a draw says in which
// batch it is trained.
std::map<std::string, std::optional<std::int64_t>> preflight::model_bounds() const {
  std::map<std::string, std::optional<std::int64_t>> bounds;
  for (const auto &actor : graph_.actors) {
    const auto model = text_key(actor, "model");
    if (const auto every = static_cast<std::int64_t>(number_key(actor, "refresh_every", 0)); every > 0) {
      bounds[actor.name] =
          staleness_bound();  // its newest weights are as old as a token, and were kept since
      if (bounds[actor.name]) *bounds[actor.name] += every - 1;
    }
    const auto *trains = followed_learner(*this, actor);
    if (!trains || trains == main_ || !feeds(actor, *main_)) continue;
    auto bound = staleness_bound();
    if (!in_step(*trains)) {
      const bool by_place = order_.name == "strict" || order_.name == "windowed";
      if (by_place && bound)
        *bound += 2 * contract_.lead.most - contract_.lead.least + 2;
      else
        bound.reset();
    }
    bounds[model] = bound;
  }
  return bounds;
}

std::int64_t preflight::in_flight_bound() const {
  const auto &schedule = graph_.schedule;
  const auto bound = schedule.batch * (contract_.lead.most + (learners().size() > 1 ? 2 : 1));
  return schedule.max_in_flight > 0 ? std::min(schedule.max_in_flight, bound) : bound;
}

std::string text_key(const actor_config &actor, const std::string &key) {
  const auto *value = actor.node.find(key);
  const auto *text = value ? value->as_text() : nullptr;
  return text ? *text : std::string();
}

bool flag_key(const actor_config &actor, const std::string &key, bool otherwise) {
  const auto *value = actor.node.find(key);
  const auto *flag = value ? std::get_if<bool>(&value->value) : nullptr;
  return flag ? *flag : otherwise;
}

double number_key(const actor_config &actor, const std::string &key, double otherwise) {
  const auto *value = actor.node.find(key);
  if (!value) return otherwise;
  if (const auto *whole = value->as_integer()) return static_cast<double>(*whole);
  const auto *real = std::get_if<double>(&value->value);
  return real ? *real : otherwise;
}

std::int64_t run_cores(const topology &graph) {
  if (graph.run.threads > 0) return graph.run.threads;
  return std::max<std::int64_t>(std::thread::hardware_concurrency(), 1);
}

const actor_config *followed_learner(const preflight &plan, const actor_config &actor) {
  const bool follows =
      actor.kind == "sampler" || actor.kind == "critic" || actor.kind == "scorer.reward_model";
  return follows ? plan.learner_of(text_key(actor, "model")) : nullptr;
}

sample_traits samples_of(const preflight &plan, const actor_config &giver) {
  const auto place = static_cast<std::size_t>(&giver - plan.graph().actors.data());
  if (const auto &told = plan.plans()[place].samples) return *told;
  sample_traits traits;
  traits.advantages = giver.kind.rfind("advantage.", 0) == 0;
  return traits;
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
