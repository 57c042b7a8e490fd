#include "actors/nodes/shipping.hpp"

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
    if (!actor.nodes.empty()) placed.push_back(&actor);
  return placed;
}

/// Scorers by rule have no model.
std::string model_of(const actor_config &actor) {
  return text_key(actor, "model");
}

shipped_model ship(preflight &plan, const actor_config &actor) {
  const auto &described = plan.models().describe(model_of(actor));
  shipped_model model{model_of(actor), described.spec, files_of(*described.text), {}, false};
  if (described.adapter) model.adapter = described.adapter->spec;
  model.moves = followed_learner(plan, actor) != nullptr;
  return model;
}

at::Tensor to_publish(const at::Tensor &values) {
  return values.to(at::kCPU, at::kFloat).contiguous();
}

}  // namespace

std::map<std::string, std::string> make_orders(preflight &plan, const endpoint &weights) {
  std::map<std::string, std::string> orders;
  const auto text = write_resolved(plan.graph());
  for (const auto *actor : placed_actors(plan)) {
    place_order order;
    order.actor = actor->name;
    order.topology = text;
    order.weights = weights;
    order.relay = plan.graph().nodes.relay_fanout > 0;
    order.machine = machine_key();
    if (!model_of(*actor).empty()) order.models.push_back(ship(plan, *actor));
    for (std::int64_t i = 0; i < replica_count(*actor); ++i) {
      const auto node = replica_node(*actor, i);
      order.label = replica_label(*actor, i);
      order.threads = plan.graph().nodes.find(node)->threads;
      orders[order.label] = encode_order(order);
    }
  }
  return orders;
}

void publish_fixed(preflight &plan, const std::map<std::string, snapshot_ptr> &first, weight_server &server) {
  std::set<std::string> done;
  for (const auto *actor : placed_actors(plan)) {
    const auto name = model_of(*actor);
    if (name.empty() || !done.insert(name).second) continue;
    const bool moves = followed_learner(plan, *actor) != nullptr;
    const auto model = moves ? first.at(name)->model : plan.models().load(name);
    if (model->adapter()) server.publish({base_stream(name), 0, to_publish(model->flat()), true});
    if (!moves) server.publish({name, 0, to_publish(model->trainable()), true});
  }
}

std::vector<std::string> followed_models(const preflight &plan) {
  std::set<std::string> names;
  for (const auto *actor : placed_actors(plan))
    if (followed_learner(plan, *actor)) names.insert(model_of(*actor));
  return {names.begin(), names.end()};
}

}  // namespace slipstream
