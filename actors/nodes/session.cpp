#include "actors/nodes/session.hpp"

#include <ATen/core/Tensor.h>
#include <caf/all.hpp>

#include <optional>
#include <thread>
#include <utility>

#include "actors/context.hpp"
#include "actors/nodes/links.hpp"
#include "actors/nodes/uplink.hpp"
#include "actors/placement.hpp"
#include "actors/weights.hpp"
#include "models/plain_text.hpp"
#include "runtime/nodes/relay_tree.hpp"
#include "runtime/wire/tunnel.hpp"

namespace slipstream {

struct node_session::model_state {
  transferred_model transferred;
  at::Tensor base;                             ///< the weights below adapters
  std::shared_ptr<const transformer> network;  ///< the newest; null until its weights are here
  weights_actor weights;                       ///< of a model that moves
  std::optional<weight_version> early;         ///< adapters that came before their base
};

struct node_session::placed_actor {
  placement_request order;
  caf::actor uplink;
  caf::strong_actor_ptr actor;  ///< null until its models are there
  bool spawned = false;
};

namespace {

std::int64_t core_count(std::int64_t here, std::int64_t ordered, const topology &graph) {
  for (const auto count : {here, ordered, graph.run.threads})
    if (count > 0) return count;
  return std::max<std::int64_t>(std::thread::hardware_concurrency(), 1);
}

std::int64_t elements_of(const transferred_model &model) {
  return model.adapter ? adapter_count(model.spec, *model.adapter) : parameter_count(model.spec);
}

void kill(const caf::strong_actor_ptr &actor) {
  if (actor) caf::anon_send_exit(caf::actor_cast<caf::actor>(actor), caf::exit_reason::kill);
}

}  // namespace

template <class Step>
void node_session::attempt(const placed_actor &placed, Step step) {
  try {
    step();
  } catch (const input_error &problem) {
    caf::anon_send(placed.uplink, failed_atom::value, std::string(problem.what()), true);
  } catch (const std::exception &problem) {
    caf::anon_send(placed.uplink, failed_atom::value, plain_text(problem), false);
  }
}

node_session::node_session(caf::actor_system &system, const registry &kinds, options how)
    : system_(system), kinds_(kinds), how_(std::move(how)), waits_(std::make_shared<wait_table>()) {}

node_session::~node_session() {
  clients_.clear();
  for (const auto &[label, placed] : placed_) {
    kill(caf::actor_cast<caf::strong_actor_ptr>(placed.uplink));
    kill(placed.actor);
  }
  for (const auto &[name, model] : models_)
    if (model.weights) kill(caf::actor_cast<caf::strong_actor_ptr>(model.weights));
}

void node_session::open(const placement_request &order) {
  plan_ = std::make_unique<preflight>(
      make_topology(parse_document(order.topology, "the run's topology"), "the run's topology"), kinds_,
      how_.node);
  slots_ = std::make_shared<compute_slots>(core_count(how_.threads, order.threads, plan_->graph()));
}

void node_session::follow(const transferred_model &model) {
  auto &state = models_[model.name];
  if (!state.transferred.name.empty()) return;
  state.transferred = model;
  model_description description;
  description.spec = model.spec;
  description.text = read_tokenizer(model.text, "the run's tokenizer");
  if (model.adapter) description.adapter = stored_adapter{*model.adapter, {}, {}};
  plan_->models().provide(model.name, std::move(description));
  if (model.moves) state.weights = spawn_weights(system_, nullptr);
}

/// The run is told what is wrong with an order, and ends or tries again.
void node_session::place(const placement_request &order, const caf::actor &proxy) {
  if (const auto known = placed_.find(order.label); known != placed_.end()) {
    kill(caf::actor_cast<caf::strong_actor_ptr>(known->second.uplink));
    kill(known->second.actor);
    placed_.erase(known);
  }
  auto &placed = placed_[order.label];
  placed = {order, spawn_uplink(system_, proxy, order.machine == machine_key()), nullptr, true};
  attempt(placed, [&] {
    if (!plan_) open(order);
    const auto *actor = plan_->graph().find_actor(order.actor);
    if (!actor || !runs_on(*actor, how_.node))
      throw run_error("the run orders [actors." + order.actor + "], which its topology does not place here");
    for (const auto &model : order.models) follow(model);
    stream(order);
    placed.spawned = false;
  });
  spawn_ready();
}

/// Each model is streamed once, however many actors here compute with it.
void node_session::stream(const placement_request &order) {
  run_ = order.weights;
  if (run_.host.empty()) run_.host = how_.run_host;
  for (const auto &model : order.models)
    if (clients_.count(model.name) == 0) stream(order, model);
}

void node_session::stream(const placement_request &order, const transferred_model &model) {
  weight_client_options streams;
  streams.models[model.name] = elements_of(model);
  if (model.adapter) streams.models[base_stream(model.name)] = parameter_count(model.spec);
  streams.parents = {run_};
  streams.security = how_.security;
  streams.name = how_.node;
  streams.spool = plan_->graph().nodes.spool;
  streams.limits.patience = std::chrono::milliseconds(how_.patience_ms);
  // A plain relay could listen on loopback only, where nobody but the run's own machine is.
  const bool relay = order.relay && order.machine != machine_key() && !how_.security.plain();
  const auto own = relay ? address_towards(run_) : any_address;
  if (own != any_address) streams.relay_listen = std::make_shared<const endpoint>(endpoint{own, 0});
  auto &client = clients_[model.name];
  client = std::make_unique<weight_client>(std::move(streams), how_.arrived, how_.failed);
  if (own != any_address) how_.relays(model.name, client->relay_address());
}

void node_session::ask(const std::string &model, std::vector<endpoint> parents) {
  const auto found = clients_.find(model);
  if (found == clients_.end()) return;
  parents.push_back(run_);
  found->second->set_parents(std::move(parents));
}

/// Whether an actor can be spawned. It waits by itself for a model that a learner moves; other models must be
/// there first.
bool node_session::is_ready(const placement_request &order) const {
  for (const auto &model : order.models)
    if (!model.moves && !models_.at(model.name).network) return false;
  return true;
}

void node_session::spawn_ready() {
  for (auto &[label, placed] : placed_)
    if (!placed.spawned && is_ready(placed.order)) spawn(placed);
}

void node_session::spawn(placed_actor &placed) {
  placed.spawned = true;
  const auto &order = placed.order;
  const auto uplink = caf::actor_cast<caf::strong_actor_ptr>(placed.uplink);
  run_services services;
  services.recorder = caf::actor_cast<recorder_actor>(uplink);
  services.supervisor = caf::actor_cast<supervisor_actor>(uplink);
  services.journal = caf::actor_cast<journal_actor>(uplink);
  services.slots = slots_;
  services.waits = waits_;
  attempt(placed, [&] {
    spawn_context context{system_,      *plan_, services, {}, caf::actor_cast<ledger_actor>(uplink),
                          run_paths("")};
    for (const auto &[name, model] : models_)
      if (model.weights) context.all_weights[name] = model.weights;
    context.only = order.label;
    context.uplink = uplink;
    if (!how_.security.plain())
      context.tunnel = std::make_shared<const tunnel_options>(
          tunnel_options{how_.security, how_.own_host, host_for_others(how_.own_host), how_.run_host});
    const auto &actors = plan_->graph().actors;
    for (std::size_t i = 0; i < actors.size(); ++i)
      if (actors[i].name == order.actor) plan_->plans()[i].spawn(context);
    if (context.owned.empty())
      throw run_error("the run orders \"" + order.label + "\", and there is no such replica");
    placed.actor = context.owned.front().second;
    caf::anon_send(placed.uplink, attach_atom::value, placed.actor);
  });
}

void node_session::take(const weight_version &arrived) {
  for (auto &[name, model] : models_) {
    if (arrived.model == name) {
      renew(model, arrived);
    } else if (arrived.model == base_stream(name)) {
      model.base = arrived.flat;
      if (const auto early = std::exchange(model.early, {})) renew(model, *early);
    }
  }
  spawn_ready();
}

void node_session::renew(model_state &model, const weight_version &arrived) {
  const auto &transferred = model.transferred;
  const auto mode = plan_->graph().run.numerics;
  if (model.network)
    model.network = std::make_shared<const transformer>(model.network->with_trainable(arrived.flat));
  else if (!transferred.adapter)
    model.network = std::make_shared<const transformer>(transferred.spec, arrived.flat, mode);
  else if (model.base.defined())
    model.network = std::make_shared<const transformer>(transferred.spec, model.base, *transferred.adapter,
                                                        arrived.flat, mode);
  else
    return void(model.early = arrived);
  if (model.weights)
    caf::anon_send(model.weights, snapshot_ptr(std::make_shared<snapshot>(snapshot{
                                      arrived.version, model.network, transferred.name, arrived.last})));
  else
    plan_->models().provide(transferred.name, plan_->models().describe(transferred.name), model.network);
}

void node_session::forget(const caf::actor_addr &uplink) {
  for (auto it = placed_.begin(); it != placed_.end(); ++it) {
    if (caf::actor_cast<caf::actor_addr>(it->second.uplink) != uplink) continue;
    kill(it->second.actor);
    placed_.erase(it);
    return;
  }
}

std::vector<caf::actor> node_session::uplinks() const {
  std::vector<caf::actor> result;
  for (const auto &[label, placed] : placed_) result.push_back(placed.uplink);
  return result;
}

}  // namespace slipstream
