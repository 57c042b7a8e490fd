#include "actors/nodes/open.hpp"

#include <unistd.h>
#include <caf/all.hpp>

#include <algorithm>

#include "actors/nodes/host.hpp"
#include "actors/nodes/publisher.hpp"
#include "actors/nodes/weight_transfer.hpp"

namespace slipstream {
namespace {

/// The address where weights are streamed from: any free port of the host that nodes join at, unless an
/// address is named.
endpoint weights_address(const nodes_config &nodes) {
  if (!nodes.weights.empty()) return parse_endpoint(nodes.weights, "[nodes] weights");
  auto address = parse_endpoint(nodes.listen, "[nodes] listen");
  address.port = 0;
  return address;
}

bool is_any(const std::string &host) {
  return host == "0.0.0.0" || host == "::";
}

/// The name by which other machines may know this one.
std::string own_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof(name) - 1) == 0 && name[0] != 0 ? name : "localhost";
}

std::shared_ptr<weight_server> open_streams(spawn_context &context,
                                            const std::function<void(const std::string &)> &say) {
  auto &plan = context.plan;
  const auto &nodes = plan.graph().nodes;
  const auto server =
      std::make_shared<weight_server>(weights_address(nodes), link_options_of(nodes).security);
  publish_fixed(plan, context.first, *server);
  const auto publisher = spawn_publisher(context.system, server, plan.graph().chaos.delay_weights_ms, say);
  for (const auto &model : followed_models(plan))
    caf::anon_send(context.weights_of(model), subscribe_atom::value, publisher);
  context.own("publisher", publisher);
  return server;
}

}  // namespace

link_options link_options_of(const nodes_config &nodes) {
  return {{nodes.certificate, nodes.key, nodes.authority, {}}, nodes.heartbeat_ms, nodes.timeout_ms};
}

endpoint open_nodes(spawn_context &context, const std::function<void(const std::string &)> &say) {
  auto &plan = context.plan;
  if (!context.system.has_middleman())
    throw input_error(plan.graph().source.string() +
                      ": error: this program cannot place actors on nodes: it has to call configure(config, "
                      "topology) before it makes its actor_system");
  const std::function<void(const std::string &)> tell = [say](const std::string &line) {
    if (say) say(line);
  };
  const auto server = open_streams(context, tell);
  auto weights = server->address();
  if (is_any(weights.host)) weights.host.clear();  // each node reaches it where it reached us
  host_setup setup;
  setup.nodes = plan.graph().nodes;
  setup.run = plan.graph().run.name;
  setup.orders = make_orders(plan, weights);
  setup.learner = plan.learner().name;
  setup.processes = context.paths.folder.empty() ? "" : context.paths.folder / "processes.json";
  setup.plain = setup.nodes.certificate.empty();
  setup.say = tell;
  setup.chaos = plan.graph().chaos.events;
  std::stable_sort(setup.chaos.begin(), setup.chaos.end(),
                   [](const auto &a, const auto &b) { return a.update < b.update; });
  const auto listen = parse_endpoint(setup.nodes.listen, "[nodes] listen");
  context.nodes = spawn_node_host(context.system, setup);
  context.own("nodes", context.nodes);
  if (!plan.graph().chaos.events.empty())
    caf::anon_send(context.weights, subscribe_atom::value,
                   caf::actor_cast<weights_sink>(caf::actor_cast<caf::strong_actor_ptr>(context.nodes)));
  auto join = open_port(context.nodes, listen);
  if (is_any(join.host)) join.host = own_name();
  tell("a node joins at " + to_string(join));
  return join;
}

}  // namespace slipstream
