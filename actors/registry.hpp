#pragma once

#include <caf/actor_control_block.hpp>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "actors/interfaces.hpp"
#include "actors/offline.hpp"
#include "runtime/kinds/checked_topology.hpp"
#include "runtime/learning/sample_traits.hpp"

namespace slipstream {

class evaluation;
class preflight;
class transformer;
struct spawn_context;

/// The name under which a sink's values flow along edges; a kind declares its ports by these types.
template <class Sink>
struct port_name;
template <>
struct port_name<rollout_sink> {
  static constexpr const char *value = port::rollouts;
};
template <>
struct port_name<score_sink> {
  static constexpr const char *value = port::scores;
};
template <>
struct port_name<logprob_sink> {
  static constexpr const char *value = port::logprobs;
};
template <>
struct port_name<value_sink> {
  static constexpr const char *value = port::values;
};
template <>
struct port_name<sample_sink> {
  static constexpr const char *value = port::samples;
};
template <>
struct port_name<weights_sink> {
  static constexpr const char *value = port::versions;
};
template <>
struct port_name<loader_actor> {  // pulled by the ledger, not pushed
  static constexpr const char *value = port::examples;
};

template <class... Sinks>
std::vector<std::string> ports() {
  return {port_name<Sinks>::value...};
}

/// How one actor of a topology is checked and spawned. It is made once the actor's keys have been read.
struct node_plan {
  /// Checks files, models and neighbours before anything is loaded. Throws input_error. May be empty.
  std::function<void(preflight &)> verify;
  /// Spawns the actor (its consumers are there already) and answers with what receives its inputs; replicas
  /// share one plan. An invalid pointer when nothing sends to it.
  std::function<caf::strong_actor_ptr(spawn_context &)> spawn;
  /// Gives the actor's work as plain functions, once it is verified. May be empty.
  std::function<offline_part(preflight &)> offline{};
  /// The held-out evaluation that the actor makes of a model, once verified. Empty: it is no evaluator.
  std::function<std::unique_ptr<evaluation>(preflight &, const std::shared_ptr<const transformer> &)>
      evaluate{};
  /// The traits of the samples that the actor gives, if it gives any. Without this, samples of an actor that
  /// joins figures have advantages, and other samples have none.
  std::optional<sample_traits> samples{};
};

/// A kind of actor: what it takes and gives, and how to read one from its table.
struct actor_kind {
  std::string name;
  std::string summary;
  kind_ports ports;
  bool placeable = false;  ///< may run on a node: its spawn goes through spawn_replicas()
  /// Reads the actor's keys: leaves the defaults in the config's node, and in its facts what others may need
  /// to know. Throws input_error.
  std::function<node_plan(actor_config &)> read;
};

/// The kinds that topologies may name. It is a value, so that a program can have its own.
class registry {
 public:
  /// Throws input_error when the name is taken.
  void add(actor_kind kind);
  const actor_kind *find(const std::string &name) const;
  const std::map<std::string, actor_kind> &kinds() const { return kinds_; }
  kind_table ports() const;
  /// The part of each kind that needs no tensor. Reading an actor adds its plan to `plans`, which must
  /// outlive the rows.
  kind_rows rows(std::vector<node_plan> &plans) const;
  /// An order of consumption of one's own. Throws input_error when the name is taken.
  void add(order_row order);
  const order_table &orders() const { return orders_; }

 private:
  std::map<std::string, actor_kind> kinds_;
  order_table orders_;
};

/// A kind whose keys `row` reads; `plan` is made of an actor whose keys have been read.
actor_kind kind_of(const kind_row &row, std::function<node_plan(const actor_config &)> plan);

/// Adds all kinds of this library.
void register_builtin(registry &kinds);

}  // namespace slipstream
