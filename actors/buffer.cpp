#include "actors/buffer.hpp"

#include <caf/all.hpp>

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "actors/failure.hpp"
#include "runtime/journal/overloaded.hpp"

namespace slipstream {
namespace {

struct buffer_state {
  static inline const char *name = "buffer";
  std::optional<buffer_machine> machine;
  std::string path;
  ledger_actor ledger;
  run_services services;
  std::chrono::nanoseconds patience{0};
  std::map<std::string, caf::typed_response_promise<batch_ptr>> pulls;  ///< by learner
};

using buffer_pointer = buffer_actor::stateful_pointer<buffer_state>;

void carry_out(buffer_pointer self, buffer_machine::decisions decisions);

void ask_forfeit(buffer_pointer self, std::int64_t rollouts) {
  auto &state = self->state;
  const auto on_reply = [self](forfeit_atom) { carry_out(self, self->state.machine->forfeit_booked()); };
  ask<forfeit_atom>(self, state.services, state.ledger, {"buffer", "a batch to go short", "ledger"}, on_reply,
                    forfeit_atom::value, rollouts);
}

void carry_out(buffer_pointer self, buffer_machine::decisions decisions) {
  namespace to = buffer_decisions;
  auto &state = self->state;
  for (auto &decision : decisions)
    std::visit(
        overloaded{
            [&](to::deliver &given) { state.pulls.extract(given.learner).mapped().deliver(given.batch); },
            [&](to::record_event &noted) { note(self, state.services, std::move(noted.event)); },
            [&](to::keep &kept) { self->send(state.ledger, buffered_atom::value, state.path, kept.id); },
            [&](to::drop &dropped) {
              self->send(state.ledger, dropped_atom::value, state.path, dropped.id, dropped.reason);
            },
            [&](to::ask_forfeit &asked) { ask_forfeit(self, asked.rollouts); },
            [&](to::correct_forfeit &by) { caf::anon_send(state.ledger, forfeit_atom::value, by.rollouts); },
            [&](to::start_timer &timer) {
              self->delayed_send(self, state.patience, check_atom::value, timer.version);
            },
        },
        decision);
}

caf::typed_response_promise<batch_ptr> pull(buffer_pointer self, const std::string &learner,
                                            std::int64_t version) {
  auto decisions = self->state.machine->pull(learner, version);
  auto promise = self->make_response_promise<batch_ptr>();
  self->state.pulls.emplace(learner, promise);
  carry_out(self, std::move(decisions));
  return promise;
}

buffer_actor::behavior_type buffer_behavior(buffer_pointer self, const buffer_setup &setup) {
  fail_with_text(self);
  auto &state = self->state;
  state.machine.emplace(setup.rules);
  state.path = setup.rules.path;
  state.ledger = setup.ledger;
  state.services = setup.services;
  state.patience = setup.patience;
  return {
      [self](const sample_group_ptr &group) { carry_out(self, self->state.machine->put(group)); },
      [self](draw_atom, const draws_ptr &draws) { self->state.machine->drawn(*draws); },
      [self](change_atom, std::int64_t window) { carry_out(self, self->state.machine->set_window(window)); },
      [self](check_atom, std::int64_t version) { carry_out(self, self->state.machine->waited(version)); },
      [self](pull_atom, const std::string &learner, std::int64_t version) {
        return pull(self, learner, version);
      },
      [self](stop_atom, const std::string &learner) { carry_out(self, self->state.machine->stop(learner)); },
  };
}

}  // namespace

buffer_actor spawn_buffer(caf::actor_system &system, buffer_setup setup) {
  return system.spawn(buffer_behavior, std::move(setup));
}

}  // namespace slipstream
