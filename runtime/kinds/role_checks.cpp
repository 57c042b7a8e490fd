#include "runtime/kinds/role_checks.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "models/error.hpp"
#include "runtime/kinds/roles.hpp"
#include "runtime/topology/suggest.hpp"

namespace slipstream {
namespace {

bool gives_demonstrations_only(const topology &graph, const actor_config &loader) {
  return std::all_of(graph.actors.begin(), graph.actors.end(), [&](const auto &actor) {
    const auto taken = std::find_if(actor.takes.begin(), actor.takes.end(),
                                    [&](const auto &each) { return each.name == loader.name; });
    return taken == actor.takes.end() ||
           (actor.facts.role == actor_role::learner && taken != actor.takes.begin());
  });
}

void check_learner(const topology &graph, const actor_config &learner, bool main) {
  const auto *further = learner.takes.size() > 1 ? graph.find_actor(learner.takes[1].name) : nullptr;
  if (learner.takes.size() > 2 || (further && further->facts.role != actor_role::loader))
    fail_at(learner.takes[1].at,
            fmt::format("[actors.{}] takes from two actors; a learner takes its samples from one, and beside "
                        "it perhaps demonstrations from a loader",
                        learner.name));
  if (!main && (learner.name == "last" || learner.name == "base" || learner.name.starts_with("step-")))
    fail_at(learner.at,
            fmt::format("[actors.{}] would put its checkpoints where the main learner's are; give it another "
                        "name",
                        learner.name));
}

void check_model_name(const topology &graph, const actor_config &actor, const char *key,
                      const std::string &name) {
  if (name.empty() || graph.find_model(name)) return;
  std::vector<std::string> names;
  for (const auto &model : graph.models) names.push_back(model.name);
  fail_at(
      position_of(actor, key),
      fmt::format("[actors.{0}] uses the model \"{1}\", which the file does not have.{2} {3} Or add "
                  "[models.{1}]",
                  actor.name, name, did_you_mean(name, names),
                  names.empty() ? "The file has no models." : "The file's models: " + listed(names) + "."));
}

}  // namespace

std::vector<const actor_config *> of_role(const topology &graph, actor_role role) {
  std::vector<const actor_config *> result;
  for (const auto &actor : graph.actors)
    if (actor.facts.role == role) result.push_back(&actor);
  return result;
}

void put_loaders_last(topology &graph) {
  for (auto &actor : graph.actors)
    if (actor.facts.role == actor_role::learner)
      std::stable_partition(actor.takes.begin(), actor.takes.end(), [&](const auto &each) {
        return graph.find_actor(each.name)->facts.role != actor_role::loader;
      });
}

const actor_config &find_loader(const topology &graph) {
  const actor_config *found = nullptr;
  for (const auto *loader : of_role(graph, actor_role::loader)) {
    if (gives_demonstrations_only(graph, *loader)) continue;
    if (found)
      fail_at(loader->kind_at,
              fmt::format("[actors.{}] is a second loader beside [actors.{}]; draw all prompts of a topology "
                          "from one, or let a learner take demonstrations from it beside its samples",
                          loader->name, found->name));
    found = loader;
  }
  if (!found)
    throw input_error(
        graph.source.string() +
        ": error: there is no actor of kind \"loader\" that draws prompts or training data; add "
        "one");
  return *found;
}

void check_model_names(const topology &graph) {
  for (const auto &actor : graph.actors) {
    check_model_name(graph, actor, "model", actor.facts.model);
    check_model_name(graph, actor, "reference", actor.facts.reference);
  }
}

void check_groups(const topology &graph) {
  const auto batch = graph.schedule.batch;
  for (const auto *sampler : of_role(graph, actor_role::sampler)) {
    const auto size = sampler->facts.group;
    if (batch % size == 0) continue;
    const auto above = (batch / size + 1) * size;
    const auto mend = batch > size ? fmt::format("{} or {}", above - size, above) : fmt::to_string(above);
    fail_at(
        graph.schedule.at,
        fmt::format("[schedule] batch = {} is not divisible by group = {} of [actors.{}] ({}), and groups "
                    "are trained on whole; set batch to {}",
                    batch, size, sampler->name, to_string(position_of(*sampler, "group")), mend));
  }
}

void check_learned_once(const std::vector<const actor_config *> &learners) {
  for (const auto *learner : learners)
    for (const auto *other : learners)
      if (other < learner && other->facts.model == learner->facts.model)
        fail_at(position_of(*learner, "model"),
                fmt::format("[actors.{}] trains \"{}\", which [actors.{}] trains too; give each learner a "
                            "model of its own, as with copy_of",
                            learner->name, learner->facts.model, other->name));
}

const actor_config &find_main(const topology &graph) {
  const auto learners = of_role(graph, actor_role::learner);
  const actor_config *main = nullptr;
  for (const auto *sampler : of_role(graph, actor_role::sampler))
    for (const auto *learner : learners) {
      if (learner->facts.model != sampler->facts.model) continue;
      if (main && main != learner)
        fail_at(
            position_of(*sampler, "model"),
            fmt::format("[actors.{}] samples from \"{}\", another learned model than \"{}\"; this version "
                        "samples from one learned model a topology",
                        sampler->name, sampler->facts.model, main->facts.model));
      main = learner;
    }
  if (!main && learners.size() > 1)
    fail_at(
        learners[1]->kind_at,
        fmt::format("[actors.{}] is a second learner beside [actors.{}], and no sampler draws from a model "
                    "of theirs, so that neither leads the run; sample from one of the two models, or make "
                    "two runs",
                    learners[1]->name, learners[0]->name));
  return main ? *main : *learners.front();
}

void check_learners(const topology &graph, const std::vector<const actor_config *> &learners) {
  for (const auto *learner : learners) check_learner(graph, *learner, learner == learners.front());
}

}  // namespace slipstream
