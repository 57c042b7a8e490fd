#include "runtime/kinds/kind_row.hpp"

#include "runtime/topology/suggest.hpp"

namespace slipstream {

kind_table ports_of(const kind_rows &rows) {
  kind_table result;
  for (const auto &[name, row] : rows) result.emplace(name, row.ports);
  return result;
}

actor_role role_of(const kind_ports &ports) {
  const auto takes = [&](const char *port) { return contains(ports.accepts, port); };
  if (ports.gives == port::examples) return actor_role::loader;
  if (ports.gives == port::rollouts && takes(port::examples)) return actor_role::sampler;
  if (ports.gives == port::samples) return actor_role::joiner;
  if (ports.gives == port::versions) return actor_role::learner;
  if (!takes(port::rollouts)) return actor_role::other;
  if (ports.gives == port::scores) return actor_role::scorer;
  if (ports.gives == port::logprobs) return actor_role::reference;
  return ports.gives == port::values ? actor_role::critic : actor_role::other;
}

}  // namespace slipstream
