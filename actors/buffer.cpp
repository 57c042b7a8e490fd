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
  ledger_actor ledger;
  run_services services;
  std::map<std::string, open_pull> pulls;  ///< by learner
};

using self_pointer = buffer_actor::stateful_pointer<buffer_state>;

/// Gives every learner that waits its batch, once it is whole.
void serve(self_pointer self) {
  auto &state = self->state;
  for (auto next = state.pulls.begin(); next != state.pulls.end();) {
    const auto &learner = next->first;
    const auto version = next->second.version;
    const auto served = state.setup->groups.take(learner, version);
    if (!served) {
      ++next;
      continue;
    }
    if (!served->again) {
      batch_consumed consumed{version + 1, {}, learner};
      for (const auto &group : *served->groups) consumed.ids.push_back(group->id);
      note(self, state.services, std::move(consumed));
    }
    next->second.promise.deliver(served->groups);
    next = state.pulls.erase(next);
  }
}

void arrive(self_pointer self, const sample_group_ptr &group) {
  auto &state = self->state;
  const auto &path = state.setup->path;
  if (state.setup->heard_before.erase(group->id) > 0) return;
  if (group->samples.empty()) {
    note(self, state.services, path_dropped{group->id, path, group->drop_reason});
    state.setup->groups.drop(group->id);
    self->send(state.ledger, dropped_atom::value, path, group->id, group->drop_reason);
  } else {
    note(self, state.services, group_kept{group, path});
    state.setup->groups.put(group);
    self->send(state.ledger, buffered_atom::value, path, group->id);
  }
  serve(self);
}

buffer_actor::behavior_type behave(self_pointer self, const buffer_setup &setup, const ledger_actor &ledger,
                                   const run_services &services) {
  fail_with_text(self);
  self->state.setup = setup;
  self->state.ledger = ledger;
  self->state.services = services;
  return {
      [self](const sample_group_ptr &group) { arrive(self, group); },
      [self](pull_atom, const std::string &learner,
             std::int64_t version) -> caf::typed_response_promise<batch_ptr> {
        auto &pull = self->state.pulls[learner];
        if (pull.promise.pending()) throw run_error("buffer: learner \"" + learner + "\" pulled twice");
        auto promise = self->make_response_promise<batch_ptr>();
        pull = {version, promise};
        serve(self);
        return promise;
      },
      [self](stop_atom, const std::string &learner) {
        const auto pull = self->state.pulls.find(learner);
        if (pull == self->state.pulls.end()) return;
        pull->second.promise.deliver(batch_ptr());
        self->state.pulls.erase(pull);
      },
  };
}

}  // namespace

buffer_actor spawn_buffer(caf::actor_system &system, buffer_setup setup, ledger_actor ledger,
                          run_services services) {
  return system.spawn(behave, std::move(setup), std::move(ledger), std::move(services));
}

}  // namespace slipstream
