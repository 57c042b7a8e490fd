#include "actors/ledger.hpp"

#include <caf/all.hpp>

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "actors/failure.hpp"
#include "runtime/journal/overloaded.hpp"

namespace slipstream {
namespace {

struct ledger_state {
  static inline const char *name = "ledger";
  std::optional<ledger_machine> machine;
  run_services services;
  loader_actor loader;
  sample_sink finished_data;
  std::vector<work_sink> samplers;  ///< by the number that the machine knows them by
  std::vector<flush_sink> flushed_at_end;
  std::vector<draw_sink> buffers;  ///< told of every draw before anybody works on it
};

using ledger_pointer = ledger_actor::stateful_pointer<ledger_state>;

void carry_out(ledger_pointer self, ledger_machine::decisions decisions);

sampler_number number_of(ledger_state &state, const work_sink &sampler) {
  auto &all = state.samplers;
  const auto known = std::find(all.begin(), all.end(), sampler);
  if (known != all.end()) return static_cast<sampler_number>(known - all.begin());
  all.push_back(sampler);
  return all.size() - 1;
}

void ask_loader_for(ledger_pointer self, std::int64_t lines) {
  auto &state = self->state;
  const auto on_reply = [self](const drawn_batch_ptr &drawn) {
    carry_out(self, self->state.machine->prompts(*drawn));
  };
  ask<drawn_batch_ptr>(self, state.services, state.loader, {"ledger", "prompts", "loader"}, on_reply,
                       draw_atom::value, lines);
}

void ask_loader_for(ledger_pointer self, std::vector<std::uint64_t> ids) {
  auto &state = self->state;
  const auto on_reply = [self](const drawn_batch_ptr &drawn) {
    carry_out(self, self->state.machine->prompts_again(*drawn));
  };
  ask<drawn_batch_ptr>(self, state.services, state.loader, {"ledger", "prompts drawn before", "loader"},
                       on_reply, draw_atom::value,
                       ids_ptr(std::make_shared<std::vector<std::uint64_t>>(std::move(ids))));
}

ledger_totals_ptr totals_of(const ledger_state &state) {
  return std::make_shared<const ledger_totals>(state.machine->books().totals());
}

void carry_out(ledger_pointer self, ledger_machine::decisions decisions) {
  namespace to = ledger_decisions;
  auto &state = self->state;
  for (auto &decision : decisions)
    std::visit(overloaded{
                   [&](to::hand_out &given) { self->send(state.samplers[given.sampler], given.prompt); },
                   [&](to::ask_loader &asked) { ask_loader_for(self, asked.lines); },
                   [&](to::ask_loader_again &asked) { ask_loader_for(self, std::move(asked.ids)); },
                   [&](to::announce_draws &told) {
                     const draws_ptr draws =
                         std::make_shared<const std::vector<draw_notice>>(std::move(told.draws));
                     for (const auto &buffer : state.buffers) self->send(buffer, draw_atom::value, draws);
                   },
                   [&](to::pass_samples &passed) { self->send(state.finished_data, passed.samples); },
                   [&](to::record &noted) { note(self, state.services, std::move(noted.event)); },
                   [&](to::report_totals &) {
                     self->send(state.services.recorder, totals_atom::value, totals_of(state));
                   },
               },
               decision);
}

/// Every sampler says what it has and goes no further; then the totals are final.
caf::typed_response_promise<ledger_totals_ptr> hand_back(ledger_pointer self) {
  auto &state = self->state;
  state.machine->end();
  auto promise = self->make_response_promise<ledger_totals_ptr>();
  const auto left = std::make_shared<std::size_t>(state.flushed_at_end.size() + 1);
  auto one_more = [self, promise, left]() mutable {
    if (--*left == 0) promise.deliver(totals_of(self->state));
  };
  for (const auto &sampler : state.flushed_at_end)
    self->request(sampler, caf::duration{state.services.deadline}, flush_atom::value)
        .then(
            [self, one_more](const ids_ptr &begun, const ids_ptr &untouched) mutable {
              carry_out(self, self->state.machine->interrupted(*begun, *untouched));
              one_more();
            },
            [one_more](const caf::error &) mutable { one_more(); });  // it died: what it had is lost
  one_more();
  return promise;
}

ledger_actor::behavior_type ledger_behavior(ledger_pointer self, const ledger_machine &machine,
                                            const run_services &services) {
  fail_with_text(self);
  self->state.machine = machine;
  self->state.services = services;
  return {
      [self](subscribe_atom, const loader_actor &loader, const sample_sink &finished_data) {
        self->state.loader = loader;
        self->state.finished_data = finished_data;
        carry_out(self, self->state.machine->loader_ready());
      },
      [self](subscribe_atom, const draw_sink &buffer) { self->state.buffers.push_back(buffer); },
      [self](credit_atom, const work_sink &sampler, std::int64_t prompts, std::int64_t version) {
        carry_out(self, self->state.machine->credit(number_of(self->state, sampler), prompts, version));
      },
      [self](finished_atom, std::uint64_t id) { carry_out(self, self->state.machine->finished(id)); },
      [self](lost_atom, const work_sink &sampler, const lost_work_ptr &held) {
        carry_out(self, self->state.machine->lost(number_of(self->state, sampler), *held));
      },
      [self](buffered_atom, const std::string &path, std::uint64_t id) {
        carry_out(self, self->state.machine->kept(path, id));
      },
      [self](dropped_atom, const std::string &path, std::uint64_t id, const std::string &reason) {
        carry_out(self, self->state.machine->dropped(path, id, reason));
      },
      [self](trained_atom, const std::string &learner, const ids_ptr &ids, std::int64_t version) {
        carry_out(self, self->state.machine->trained(learner, *ids, version));
      },
      [self](guard_atom, const std::string &learner, const ids_ptr &ids, const std::string &reason) {
        carry_out(self, self->state.machine->left_untrained(learner, *ids, reason));
      },
      [self](done_atom, const std::string &learner) {
        carry_out(self, self->state.machine->retired(learner));
      },
      [self](change_atom, std::int64_t lead) { carry_out(self, self->state.machine->set_lead(lead)); },
      [self](forfeit_atom, std::int64_t rollouts) {
        carry_out(self, self->state.machine->forfeit(rollouts));
        return forfeit_atom::value;
      },
      [self](stop_atom) { self->state.machine->stop(); },
      [self](subscribe_atom, const flush_sink &sampler) { self->state.flushed_at_end.push_back(sampler); },
      [self](flush_atom) { return hand_back(self); },
      [self](totals_atom) { return totals_of(self->state); },
  };
}

}  // namespace

ledger_actor spawn_ledger(caf::actor_system &system, ledger_machine machine, run_services services) {
  return system.spawn(ledger_behavior, std::move(machine), std::move(services));
}

}  // namespace slipstream
