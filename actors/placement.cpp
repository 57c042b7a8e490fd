#include "actors/placement.hpp"

#include <algorithm>

#include "models/error.hpp"
#include "runtime/wire/endpoint.hpp"
#include "runtime/wire/weight_stream.hpp"

namespace slipstream {

void check_links(const topology &graph) {
  if (!places_actors(graph)) return;
  const auto &nodes = graph.nodes;
  const wire_security security{nodes.certificate, nodes.key, nodes.authority, {}};
  const auto attempt = [](const source_position &at, const auto &check) {
    try {
      check();
    } catch (const input_error &problem) {
      fail_at(at, without_error_mark(problem.what()));
    }
  };
  const auto check = [&](const source_position &at, const std::string &what, const std::string &address) {
    if (!address.empty()) attempt(at, [&] { check_place(parse_endpoint(address, what), security, what); });
  };
  attempt(nodes.at, [&] { check_security(security, "[nodes]"); });
  check(nodes.at, "[nodes] listen", nodes.listen);
  check(nodes.at, "[nodes] weights", nodes.weights);
  // The folder of nodes that start on this machine; others look at theirs before they take weights.
  if (std::any_of(nodes.members.begin(), nodes.members.end(),
                  [](const auto &node) { return node.launch == "local"; }))
    attempt(nodes.at, [&] { check_spool(nodes.spool, "[nodes] spool"); });
  for (const auto &node : nodes.members) check(node.at, "[nodes." + node.name + "] address", node.address);
}

}  // namespace slipstream
