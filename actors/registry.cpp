#include "actors/registry.hpp"

#include "actors/kinds/kinds.hpp"
#include "models/error.hpp"

namespace slipstream {

void registry::add(actor_kind kind) {
  const auto name = kind.name;
  if (!kinds_.emplace(name, std::move(kind)).second)
    throw input_error("actor kind \"" + name + "\" is registered twice; give yours another name");
}

const actor_kind *registry::find(const std::string &name) const {
  const auto found = kinds_.find(name);
  return found == kinds_.end() ? nullptr : &found->second;
}

kind_table registry::ports() const {
  kind_table result;
  for (const auto &[name, kind] : kinds_) result.emplace(name, kind.ports);
  return result;
}

kind_rows registry::rows(std::vector<node_plan> &plans) const {
  kind_rows result;
  for (const auto &[name, kind] : kinds_) {
    const auto read = [&plans, read = kind.read](actor_config &config) { plans.push_back(read(config)); };
    result.emplace(name, kind_row{name, kind.summary, kind.ports, kind.placeable, read});
  }
  return result;
}

void registry::add(order_row order) {
  const auto name = order.name;
  if (!orders_.emplace(name, std::move(order)).second)
    throw input_error("order \"" + name + "\" is registered twice; give yours another name");
}

actor_kind kind_of(const kind_row &row, std::function<node_plan(const actor_config &)> plan) {
  actor_kind kind;
  kind.name = row.name;
  kind.summary = row.summary;
  kind.ports = row.ports;
  kind.placeable = row.placeable;
  kind.read = [read = row.read, plan = std::move(plan)](actor_config &config) {
    read(config);
    return plan(config);
  };
  return kind;
}

void register_builtin(registry &kinds) {
  for (const auto &order : order_rows()) kinds.add(order);
#define SLIPSTREAM_ADD(name) add_##name##_kinds(kinds);
  SLIPSTREAM_KINDS(SLIPSTREAM_ADD)
#undef SLIPSTREAM_ADD
}

}  // namespace slipstream
