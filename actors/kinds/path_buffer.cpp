#include "actors/kinds/path_buffer.hpp"

#include <caf/all.hpp>

#include <chrono>
#include <map>
#include <string>
#include <utility>

#include "actors/buffer.hpp"
#include "actors/preflight.hpp"

namespace slipstream {

buffer_actor path_buffer(spawn_context &context, const actor_config &learner) {
  const auto path = learner.takes.front().name;
  auto &buffer = context.buffers[path];
  if (buffer) return buffer;
  const auto &plan = context.plan;
  const auto &schedule = plan.graph().schedule;
  const bool main = plan.in_step(learner);
  std::map<std::string, shared_batches::place> learners;
  for (const auto &each : plan.learner_paths())
    if (each.path == path) learners[each.learner] = {};
  buffer_setup setup{{shared_batches(main ? plan.buffer() : plan.side_buffer(), learners)}};
  setup.ledger = context.ledger;
  setup.services = context.services;
  auto &rules = setup.rules;
  rules.path = path;
  rules.group = plan.group();
  if (main) rules.least = (schedule.batch_least + rules.group - 1) / rules.group;
  setup.patience = std::chrono::nanoseconds(static_cast<std::int64_t>(schedule.batch_after * 1e9));
  if (context.resumed) {
    const auto &history = context.resumed->history;
    rules.groups = restored_buffer(main ? plan.buffer() : plan.side_buffer(), history, path);
    rules.heard_before = heard_before(history, path);
    if (main)
      rules.groups.set_window(
          restored_controller(plan.controller(), history, context.paths.metrics).value("window"));
  }
  buffer = spawn_buffer(context.system, std::move(setup));
  context.own(main ? "buffer" : "buffer." + path, buffer);
  caf::anon_send(context.ledger, subscribe_atom::value, caf::actor_cast<draw_sink>(buffer));
  return buffer;
}

}  // namespace slipstream
