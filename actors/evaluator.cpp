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
  std::int64_t newest = -1;  ///< version that was due
  bool no_more = false;      ///< the last version is due or was
  std::unique_ptr<evaluation> running;
};

using evaluator_pointer = evaluator_actor::stateful_pointer<evaluator_state>;

/// Whether the version is to be evaluated; one that was published again as the last one was already.
bool is_due(const evaluator_state &state, const snapshot &published) {
  const auto version = published.version, every = state.setup.every;
  return version > state.newest && (published.last || (every > 0 && version > 0 && version % every == 0));
}

void end_if_done(evaluator_pointer self) {
  const auto &state = self->state;
  if (state.no_more && state.due.empty())
    self->send(state.setup.share.services.supervisor, done_atom::value, state.setup.share.actor);
}

void finish(evaluator_pointer self) {
  auto &state = self->state;
  const auto &setup = state.setup;
  auto result = state.running->result();
  const auto version = state.due.front()->version;
  result["version"] = version;
  state.running.reset();
  state.due.pop_front();
  const auto found = std::make_shared<const nlohmann::json>(std::move(result));
  const auto &services = setup.share.services;
  if (services.recorder) self->send(services.recorder, update_atom::value, setup.share.actor, found);
  self->send(services.supervisor, report_atom::value, setup.share.actor, found);
  end_if_done(self);
}

void step(evaluator_pointer self) {
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

evaluator_actor::behavior_type evaluator_behavior(evaluator_pointer self, const evaluator_setup &setup) {
  fail_with_text(self);
  self->state.setup = setup;
  self->send(setup.weights, subscribe_atom::value, caf::actor_cast<weights_sink>(self));
  return {
      [self](const snapshot_ptr &published) {
        auto &state = self->state;
        state.no_more = state.no_more || published->last;
        if (!is_due(state, *published)) return published->last ? end_if_done(self) : void();
        state.newest = published->version;
        state.due.push_back(published);
        if (state.due.size() == 1) self->send(self, step_atom::value);
      },
      [self](step_atom) { step(self); },
  };
}

}  // namespace

caf::strong_actor_ptr spawn_evaluator(caf::actor_system &system, bool detached,
                                      const evaluator_setup &setup) {
  return spawn_compute(system, detached, evaluator_behavior, setup);
}

}  // namespace slipstream
