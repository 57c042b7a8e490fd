#pragma once

#include <caf/actor_system.hpp>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "actors/interfaces.hpp"
#include "actors/preflight.hpp"
#include "actors/registry.hpp"
#include "runtime/nodes/placement_request.hpp"
#include "runtime/plumbing/compute_slots.hpp"
#include "runtime/plumbing/wait_table.hpp"
#include "runtime/wire/weight_stream.hpp"

namespace slipstream {

/// What a node's process has of one run: its topology, the models as they arrive, and the actors placed here.
/// Used by the node actor only.
class node_session {
 public:
  struct options {
    std::string node;
    std::int64_t threads = 0;                         ///< on the command line; 0: as the run says
    std::function<void(weight_version)> arrived;      ///< called by the streams' thread
    std::function<void(const std::string &)> failed;  ///< likewise
    wire_security security;
    /// Called as soon as others may take a model's weights from this node, at this address.
    std::function<void(const std::string &model, const endpoint &address)> relays;
    std::string run_host;  ///< where the run is, for streams that name no host
    std::string own_host;  ///< where other nodes reach this one
    std::int64_t patience_ms = 60'000;
  };
  node_session(caf::actor_system &system, const registry &kinds, options how);
  ~node_session();

  /// Takes an order; the actor is spawned at once, or when its models are there.
  void place(const placement_request &order, const caf::actor &proxy);
  /// Hands weights on to whoever waits for them.
  void take(const weight_version &arrived);
  /// Makes the streams ask these parents for a model's weights, and the run after them.
  void ask(const std::string &model, std::vector<endpoint> parents);
  /// Forgets a replica whose uplink has ended, and ends its actor.
  void forget(const caf::actor_addr &uplink);
  /// The uplinks of all replicas.
  std::vector<caf::actor> uplinks() const;

 private:
  struct model_state;
  struct placed_actor;

  void open(const placement_request &order);
  void follow(const transferred_model &model);
  void stream(const placement_request &order);
  void stream(const placement_request &order, const transferred_model &model);
  void renew(model_state &model, const weight_version &arrived);
  template <class Step>
  void attempt(const placed_actor &placed, Step step);
  bool is_ready(const placement_request &order) const;
  void spawn_ready();
  void spawn(placed_actor &placed);

  caf::actor_system &system_;
  const registry &kinds_;
  options how_;
  std::unique_ptr<preflight> plan_;
  std::map<std::string, model_state> models_;
  std::map<std::string, placed_actor> placed_;
  endpoint run_;                                                   ///< the address of its weight streams
  std::map<std::string, std::unique_ptr<weight_client>> clients_;  ///< by model
  std::shared_ptr<compute_slots> slots_;
  std::shared_ptr<wait_table> waits_;
};

}  // namespace slipstream
