#pragma once

#include <caf/all.hpp>

#include <chrono>
#include <string>
#include <vector>

#include "actors/context.hpp"

namespace slipstream::test {

/// Holds every group for up to 30 ms, so that groups overtake each other.
inline rollout_sink::behavior_type delay(rollout_sink::pointer self, const std::vector<rollout_sink> &sinks) {
  return {[=](const group_ptr &late) {
    const auto pause = std::chrono::milliseconds(late->source->id * 7919 % 31);
    for (const auto &sink : sinks) self->delayed_send(sink, pause, late);
  }};
}

/// All kinds of this library, and "test.delay", which takes rollouts and gives them on late.
inline registry delaying_kinds() {
  registry kinds;
  register_builtin(kinds);
  actor_kind kind;
  kind.name = "test.delay";
  kind.ports.accepts = ports<rollout_sink>();
  kind.ports.gives = port_name<rollout_sink>::value;
  kind.read = [](actor_config &config) {
    node_plan plan;
    plan.spawn = [name = config.name](spawn_context &context) {
      return context.own(name, context.system.spawn(delay, context.sinks<rollout_sink>(name)));
    };
    return plan;
  };
  kinds.add(std::move(kind));
  return kinds;
}

}  // namespace slipstream::test
