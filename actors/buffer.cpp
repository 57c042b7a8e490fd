#include "actors/buffer.hpp"

#include <caf/all.hpp>

#include <map>
#include <optional>
#include <utility>

#include "actors/failure.hpp"

namespace slipstream {
namespace {

struct open_pull {
  std::int64_t version = 0;
  caf::typed_response_promise<batch_ptr> promise;
};

struct buffer_state {
  static inline const char *name = "buffer";
  std::optional<buffer_setup> setup;
  std::map<std::string, open_pull> pulls;  ///< by learner
  std::int64_t timed = -1;                 ///< the version whose batch a timer runs for
  bool waited = false;          ///< a learner has waited long enough for the next batch to be whole
  std::int64_t forfeiting = 0;  ///< groups that the ledger is being told will be missing
};

using buffer_pointer = buffer_actor::stateful_pointer<buffer_state>;

/// Gives each learner that waits its batch, if that is composed.
void hand_out(buffer_pointer self) {
  auto &state = self->state;
  for (auto next = state.pulls.begin(); next != state.pulls.end();) {
    const auto &[learner, pull] = *next;
    const auto served = state.setup->groups.take(learner, pull.version);
    if (!served) {
      ++next;
      continue;
    }
    if (!served->again) {
      batch_consumed consumed{pull.version + 1, {}, learner};
      for (const auto &group : *served->groups) consumed.ids.push_back(group->id);
      note(self, state.setup->services, std::move(consumed));
    }
    next->second.promise.deliver(served->groups);
    next = state.pulls.erase(next);
  }
}

void serve(buffer_pointer self);

/// A batch of fewer groups: first the ledger books the places that it leaves empty, and has told of every
/// draw before; then it is looked at again whether the batch may go.
void go_short(buffer_pointer self) {
  auto &state = self->state;
  const auto &setup = *state.setup;
  if (!state.waited || state.forfeiting != 0) return;
  const auto groups = setup.groups.short_batch(setup.least);
  if (groups == 0) return;
  state.forfeiting = setup.groups.places() - groups;
  const auto on_reply = [self](forfeit_atom) {
    auto &now = self->state;
    auto &batches = now.setup->groups;
    const auto booked = std::exchange(now.forfeiting, 0);
    const auto again = batches.short_batch(now.setup->least);
    const auto missing = again == 0 ? 0 : batches.places() - again;
    if (missing != booked)
      caf::anon_send(now.setup->ledger, forfeit_atom::value, (missing - booked) * now.setup->group);
    if (again > 0) {
      batches.compose_short();
      now.waited = false;
    }
    serve(self);
  };
  ask<forfeit_atom>(self, setup.services, setup.ledger, {"buffer", "a batch to go short", "ledger"}, on_reply,
                    forfeit_atom::value, state.forfeiting * setup.group);
}

void give_up(buffer_pointer self, std::uint64_t id, const std::string &reason) {
  const auto &setup = *self->state.setup;
  note(self, setup.services, path_dropped{id, setup.path, reason});
  self->send(setup.ledger, dropped_atom::value, setup.path, id, reason);
}

void serve(buffer_pointer self) {
  auto &state = self->state;
  hand_out(self);
  if (state.pulls.empty() || state.forfeiting != 0) return;
  const auto before = state.setup->groups.next();
  for (const auto id : state.setup->groups.compose()) give_up(self, id, "late");
  if (state.setup->groups.next() == before) return go_short(self);
  state.waited = false;
  hand_out(self);
}

void keep(buffer_pointer self, const sample_group_ptr &group) {
  auto &setup = *self->state.setup;
  if (setup.heard_before.erase(group->id) > 0) return;
  if (group->samples.empty()) {
    setup.groups.drop(group->id);
    give_up(self, group->id, group->drop_reason);
  } else {
    note(self, setup.services, group_kept{group, setup.path});
    setup.groups.put(group);
    self->send(setup.ledger, buffered_atom::value, setup.path, group->id);
  }
}

/// Learners that wait at all wait for the same batch, the next one: its timer runs from the first pull.
void set_timer(buffer_pointer self) {
  auto &state = self->state;
  const auto version = state.setup->groups.next();
  if (state.setup->least == 0 || state.pulls.empty() || state.timed == version) return;
  state.timed = version;
  self->delayed_send(self, state.setup->patience, check_atom::value, version);
}

caf::typed_response_promise<batch_ptr> pull(buffer_pointer self, const std::string &learner,
                                            std::int64_t version) {
  auto &open = self->state.pulls[learner];
  if (open.promise.pending()) throw run_error("buffer: learner \"" + learner + "\" pulled twice");
  auto promise = self->make_response_promise<batch_ptr>();
  open = {version, promise};
  serve(self);
  set_timer(self);
  return promise;
}

buffer_actor::behavior_type buffer_behavior(buffer_pointer self, const buffer_setup &setup) {
  fail_with_text(self);
  self->state.setup = setup;
  return {
      [self](const sample_group_ptr &group) {
        keep(self, group);
        serve(self);
      },
      [self](draw_atom, const draws_ptr &draws) {
        for (const auto &drawn : *draws) self->state.setup->groups.draw(drawn.id, drawn.min_version);
      },
      [self](turn_atom, std::int64_t window) {
        self->state.setup->groups.set_window(window);
        serve(self);
      },
      [self](check_atom, std::int64_t version) {
        if (version != self->state.setup->groups.next()) return;
        self->state.waited = true;
        serve(self);
      },
      [self](pull_atom, const std::string &learner, std::int64_t version) {
        return pull(self, learner, version);
      },
      [self](stop_atom, const std::string &learner) {
        const auto open = self->state.pulls.find(learner);
        if (open == self->state.pulls.end()) return;
        open->second.promise.deliver(batch_ptr());
        self->state.pulls.erase(open);
      },
  };
}

}  // namespace

buffer_actor spawn_buffer(caf::actor_system &system, buffer_setup setup) {
  return system.spawn(buffer_behavior, std::move(setup));
}

}  // namespace slipstream
