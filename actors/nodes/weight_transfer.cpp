#include "actors/nodes/weight_transfer.hpp"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "actors/placement.hpp"
#include "models/error.hpp"
#include "runtime/nodes/relay_tree.hpp"
#include "runtime/topology/resolved.hpp"

namespace slipstream {
namespace {

/// A tokenizer as it is written beside a checkpoint: whoever reads these files reads the same tokenizer.
tokenizer_files files_of(const tokenizer &text) {
  auto name = (std::filesystem::temp_directory_path() / "slipstream-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr)
    throw run_error(name + ": error: no folder can be made for a tokenizer's files");
  const std::filesystem::path folder = name;
  try {
    text.save(folder);
    auto files = read_tokenizer_files(folder);
    std::filesystem::remove_all(folder);
    return files;
  } catch (...) {
    std::filesystem::remove_all(folder);
    throw;
  }
}

std::vector<const actor_config *> placed_actors(const preflight &plan) {
  std::vector<const actor_config *> placed;
  for (const auto &actor : plan.graph().actors)
    if (!placed_parts(actor).empty()) placed.push_back(&actor);
  return placed;
}

bool learns(const actor_config &actor) {
  return actor.facts.role == actor_role::learner;
}

transferred_model ship(preflight &plan, const std::string &name) {
  const auto &described = plan.models().describe(name);
  transferred_model model{name, described.spec, files_of(*described.text), {}, false};
  if (described.adapter) model.adapter = described.adapter->spec;
  return model;
}

/// What a placed actor computes with. A learner's rank begins with the model as the run does, and trains it
/// itself.
std::vector<transferred_model> ship_all(preflight &plan, const actor_config &actor) {
  std::vector<transferred_model> models;
  if (const auto &name = actor.facts.model; !name.empty()) {
    auto &model = models.emplace_back(ship(plan, name));
    if (learns(actor)) model.name = initial_stream(name);
    model.moves = followed_learner(plan, actor) != nullptr;
  }
  if (const auto &name = actor.facts.reference; !name.empty()) models.push_back(ship(plan, name));
  return models;
}

at::Tensor to_publish(const at::Tensor &values) {
  return values.to(at::kCPU, at::kFloat).contiguous();
}

}  // namespace

std::map<std::string, std::string> make_orders(preflight &plan, const endpoint &weights) {
  std::map<std::string, std::string> orders;
  const auto text = write_resolved(plan.graph());
  for (const auto *actor : placed_actors(plan)) {
    placement_request order;
    order.actor = actor->name;
    order.topology = text;
    order.weights = weights;
    order.relay = plan.graph().nodes.relay_fanout > 0;
    order.machine = machine_key();
    order.models = ship_all(plan, *actor);
    for (const auto &part : placed_parts(*actor)) {
      order.label = part.label;
      order.threads = plan.graph().nodes.find(part.node)->threads;
      orders[order.label] = encode_order(order);
    }
  }
  return orders;
}

void publish_fixed(preflight &plan, const std::map<std::string, snapshot_ptr> &first, weight_server &server) {
  std::set<std::string> done;
  const auto publish = [&](const std::string &stream, const transformer &model, bool moves) {
    if (!done.insert(stream).second) return;
    if (model.adapter()) server.publish({base_stream(stream), 0, to_publish(model.flat()), true});
    if (!moves) server.publish({stream, 0, to_publish(model.trainable()), true});
  };
  for (const auto *actor : placed_actors(plan)) {
    const auto &name = actor->facts.model;
    if (learns(*actor)) {
      publish(initial_stream(name), *first.at(name)->model, false);
      if (const auto &other = actor->facts.reference; !other.empty())
        publish(other, *plan.models().load(other), false);
    } else if (!name.empty()) {
      const bool moves = followed_learner(plan, *actor) != nullptr;
      publish(name, moves ? *first.at(name)->model : *plan.models().load(name), moves);
    }
  }
}

std::vector<std::string> followed_models(const preflight &plan) {
  std::set<std::string> names;
  for (const auto *actor : placed_actors(plan))
    if (followed_learner(plan, *actor)) names.insert(actor->facts.model);
  return {names.begin(), names.end()};
}

}  // namespace slipstream
