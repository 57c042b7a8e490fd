#include "actors/buffer.hpp"

#include <caf/all.hpp>

#include <optional>
#include <utility>

#include "actors/failure.hpp"

namespace slipstream {
namespace {

struct buffer_state {
  static inline const char *name = "buffer";
  std::optional<order_buffer> groups;
  buffer_setup setup;
  std::int64_t version = 0;     ///< of the learner that pulls
  std::int64_t pulls = 0;       ///< counted, so that a late timer does not concern a later pull
  bool waited = false;          ///< the learner has waited long enough for a whole batch
  std::int64_t forfeiting = 0;  ///< groups that the ledger is being told will be missing
  caf::typed_response_promise<batch_ptr> pull;
};

using self_pointer = buffer_actor::stateful_pointer<buffer_state>;

void serve(self_pointer self);

void deliver(self_pointer self, std::vector<sample_group_ptr> batch, bool again) {
  auto &state = self->state;
  if (!again) {
    batch_consumed consumed{state.version + 1, {}};
    for (const auto &group : batch) consumed.ids.push_back(group->id);
    note(self, state.setup.services, std::move(consumed));
  }
  std::exchange(state.pull, {})
      .deliver(batch_ptr(std::make_shared<const std::vector<sample_group_ptr>>(std::move(batch))));
}

/// A batch of fewer groups: first the ledger books the places that it leaves empty, and has told of every
/// draw before; then it is looked at again whether the batch may go.
void go_short(self_pointer self) {
  auto &state = self->state;
  const auto &setup = state.setup;
  if (!state.waited || state.forfeiting != 0) return;
  const auto groups = state.groups->short_batch(state.version, setup.least);
  if (groups == 0) return;
  state.forfeiting = state.groups->places() - groups;
  const auto on_reply = [self](forfeit_atom) {
    auto &now = self->state;
    const auto booked = std::exchange(now.forfeiting, 0);
    const auto again = now.groups->short_batch(now.version, now.setup.least);
    const auto missing = again == 0 ? 0 : now.groups->places() - again;
    if (missing != booked)
      caf::anon_send(now.setup.ledger, forfeit_atom::value, (missing - booked) * now.setup.group);
    if (again > 0)
      deliver(self, now.groups->take_short(now.version), false);
    else
      serve(self);
  };
  ask<forfeit_atom>(self, setup.services, setup.ledger, {"buffer", "a batch to go short", "ledger"}, on_reply,
                    forfeit_atom::value, state.forfeiting * setup.group);
}

void serve(self_pointer self) {
  auto &state = self->state;
  if (!state.pull.pending() || state.forfeiting != 0) return;
  auto offer = state.groups->take(state.version);
  for (const auto id : offer.late)
    self->send(state.setup.ledger, dropped_atom::value, id, std::string("late"));
  if (!offer.batch.empty())
    deliver(self, std::move(offer.batch), offer.again);
  else
    go_short(self);
}

void keep(self_pointer self, const sample_group_ptr &group) {
  auto &state = self->state;
  if (group->samples.empty()) {
    state.groups->drop(group->id);
    self->send(state.setup.ledger, dropped_atom::value, group->id, group->drop_reason);
  } else {
    note(self, state.setup.services, group_kept{group});
    state.groups->put(group);
    self->send(state.setup.ledger, buffered_atom::value, group->id);
  }
}

buffer_actor::behavior_type behave(self_pointer self, const order_buffer &groups, const buffer_setup &setup) {
  fail_with_text(self);
  self->state.groups.emplace(groups);
  self->state.setup = setup;
  return {
      [self](const sample_group_ptr &group) {
        keep(self, group);
        serve(self);
      },
      [self](draw_atom, const draws_ptr &draws) {
        for (const auto &drawn : *draws) self->state.groups->draw(drawn.id, drawn.min_version);
      },
      [self](turn_atom, std::int64_t window) {
        self->state.groups->set_window(window);
        serve(self);
      },
      [self](check_atom, std::int64_t pull) {
        if (pull != self->state.pulls) return;
        self->state.waited = true;
        serve(self);
      },
      [self](pull_atom, std::int64_t version) -> caf::typed_response_promise<batch_ptr> {
        auto &state = self->state;
        if (state.pull.pending()) throw run_error("buffer: a second learner pulled");
        state.version = version;
        state.waited = false;
        ++state.pulls;
        auto promise = state.pull = self->make_response_promise<batch_ptr>();
        if (state.setup.least > 0)
          self->delayed_send(self, state.setup.patience, check_atom::value, state.pulls);
        serve(self);
        return promise;
      },
  };
}

}  // namespace

buffer_actor spawn_buffer(caf::actor_system &system, order_buffer groups, buffer_setup setup) {
  return system.spawn(behave, std::move(groups), std::move(setup));
}

}  // namespace slipstream
