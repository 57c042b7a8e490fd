#include "actors/buffer.hpp"

#include <caf/all.hpp>

#include <optional>
#include <utility>

#include "actors/failure.hpp"
#include "runtime/schedule/order_buffer.hpp"

namespace slipstream {
namespace {

struct buffer_state {
  static inline const char *name = "buffer";
  std::optional<order_buffer> groups;
  ledger_actor ledger;
  caf::typed_response_promise<batch_ptr> pull;
};

using self_pointer = buffer_actor::stateful_pointer<buffer_state>;

void serve(self_pointer self) {
  if (!self->state.pull.pending()) return;
  auto batch = self->state.groups->take();
  if (!batch) return;
  std::exchange(self->state.pull, {})
      .deliver(batch_ptr(std::make_shared<const std::vector<sample_group_ptr>>(std::move(*batch))));
}

buffer_actor::behavior_type behave(self_pointer self, std::int64_t batch, const ledger_actor &ledger) {
  fail_with_text(self);
  self->state.groups.emplace(batch);
  self->state.ledger = ledger;
  return {
      [self](const sample_group_ptr &group) {
        if (group->samples.empty()) {
          self->state.groups->drop(group->id);
          self->send(self->state.ledger, dropped_atom::value, group->id, group->drop_reason);
        } else {
          self->state.groups->put(group);
          self->send(self->state.ledger, buffered_atom::value, group->id);
        }
        serve(self);
      },
      [self](pull_atom, std::int64_t) -> caf::typed_response_promise<batch_ptr> {
        if (self->state.pull.pending()) throw run_error("buffer: a second learner pulled");
        auto promise = self->state.pull = self->make_response_promise<batch_ptr>();
        serve(self);
        return promise;
      },
  };
}

}  // namespace

buffer_actor spawn_buffer(caf::actor_system &system, std::int64_t batch, ledger_actor ledger) {
  return system.spawn(behave, batch, std::move(ledger));
}

}  // namespace slipstream
