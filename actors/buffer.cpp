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
  ledger_actor ledger;
  run_services services;
  std::int64_t version = 0;  ///< of the learner that pulls
  caf::typed_response_promise<batch_ptr> pull;
};

using self_pointer = buffer_actor::stateful_pointer<buffer_state>;

void serve(self_pointer self) {
  if (!self->state.pull.pending()) return;
  const bool again = self->state.groups->again();
  auto batch = self->state.groups->take();
  if (!batch) return;
  if (!again) {
    batch_consumed consumed{self->state.version + 1, {}};
    for (const auto &group : *batch) consumed.ids.push_back(group->id);
    note(self, self->state.services, std::move(consumed));
  }
  std::exchange(self->state.pull, {})
      .deliver(batch_ptr(std::make_shared<const std::vector<sample_group_ptr>>(std::move(*batch))));
}

buffer_actor::behavior_type behave(self_pointer self, const order_buffer &groups, const ledger_actor &ledger,
                                   const run_services &services) {
  fail_with_text(self);
  self->state.groups.emplace(groups);
  self->state.ledger = ledger;
  self->state.services = services;
  return {
      [self](const sample_group_ptr &group) {
        if (group->samples.empty()) {
          self->state.groups->drop(group->id);
          self->send(self->state.ledger, dropped_atom::value, group->id, group->drop_reason);
        } else {
          note(self, self->state.services, group_kept{group});
          self->state.groups->put(group);
          self->send(self->state.ledger, buffered_atom::value, group->id);
        }
        serve(self);
      },
      [self](pull_atom, std::int64_t version) -> caf::typed_response_promise<batch_ptr> {
        if (self->state.pull.pending()) throw run_error("buffer: a second learner pulled");
        self->state.version = version;
        auto promise = self->state.pull = self->make_response_promise<batch_ptr>();
        serve(self);
        return promise;
      },
  };
}

}  // namespace

buffer_actor spawn_buffer(caf::actor_system &system, order_buffer groups, ledger_actor ledger,
                          run_services services) {
  return system.spawn(behave, std::move(groups), std::move(ledger), std::move(services));
}

}  // namespace slipstream
