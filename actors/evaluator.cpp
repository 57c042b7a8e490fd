#include "actors/evaluator.hpp"

#include <caf/all.hpp>

#include <deque>
#include <nlohmann/json.hpp>

namespace slipstream {
namespace {

struct evaluator_state {
  static inline const char *name = "evaluator";
  evaluator_setup setup;
  std::deque<snapshot_ptr> due;
  std::unique_ptr<evaluation> running;
};

using self_pointer = evaluator_actor::stateful_pointer<evaluator_state>;

bool is_due(const evaluator_setup &setup, std::int64_t version) {
  return version == setup.last || (setup.every > 0 && version > 0 && version % setup.every == 0);
}

void finish(self_pointer self) {
  auto &state = self->state;
  const auto &setup = state.setup;
  auto result = state.running->result();
  const auto version = state.due.front()->version;
  result["version"] = version;
  state.running.reset();
  state.due.pop_front();
  self->send(setup.share.services.supervisor, report_atom::value, setup.share.actor,
             std::make_shared<const nlohmann::json>(std::move(result)));
  if (version == setup.last) self->send(setup.share.services.supervisor, done_atom::value, setup.share.actor);
}

void step(self_pointer self) {
  auto &state = self->state;
  bool more = true;
  compute(self, state.setup.share, evaluation_span, [&] {
    if (!state.running) state.running = state.setup.begin(state.due.front()->model);
    more = state.running->step();
    return std::int64_t{0};
  });
  if (!more) finish(self);
  if (!state.due.empty()) self->send(self, step_atom::value);
}

evaluator_actor::behavior_type behave(self_pointer self, const evaluator_setup &setup) {
  fail_with_text(self);
  self->state.setup = setup;
  self->send(setup.weights, subscribe_atom::value, caf::actor_cast<weights_sink>(self));
  return {
      [self](const snapshot_ptr &published) {
        if (!is_due(self->state.setup, published->version)) return;
        self->state.due.push_back(published);
        if (self->state.due.size() == 1) self->send(self, step_atom::value);
      },
      [self](step_atom) { step(self); },
  };
}

}  // namespace

caf::strong_actor_ptr spawn_evaluator(caf::actor_system &system, bool detached,
                                      const evaluator_setup &setup) {
  return spawn_compute(system, detached, behave, setup);
}

}  // namespace slipstream
