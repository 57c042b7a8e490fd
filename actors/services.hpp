#pragma once

#include <caf/duration.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "actors/failure.hpp"
#include "actors/interfaces.hpp"
#include "runtime/plumbing/compute_slots.hpp"
#include "runtime/plumbing/wait_table.hpp"

namespace slipstream {

/// What every actor of a run shares.
struct run_services {
  recorder_actor recorder;
  supervisor_actor supervisor;
  journal_actor journal{};  ///< null where a run keeps none
  std::shared_ptr<compute_slots> slots;
  std::shared_ptr<wait_table> waits;
  std::chrono::milliseconds deadline{300'000};  ///< no request waits longer
};

/// The parties of a request, as the watchdog prints them: "learner waits 3 s for a batch from buffer".
struct wait_names {
  std::string who, what, whom;
};

/// Nanoseconds of the system's clock, virtual in tests and simulations.
template <class Self>
std::int64_t now_ns(Self *self) {
  return self->clock().now().time_since_epoch().count();
}

/// Writes a decision into the run's journal, where it keeps one.
template <class Self, class Event>
void note(Self *self, const run_services &services, Event event) {
  if (services.journal)
    self->send(services.journal, journal_event_ptr(std::make_shared<const journal_event>(std::move(event))));
}

/// The one way to send a request. The request has the run's deadline and an entry in the wait table until it
/// is answered. Without an answer, the asking actor ends with a clear text.
template <class Reply, class Self, class Handle, class OnReply, class... Args>
void ask(Self *self, const run_services &services, const Handle &to, wait_names names, OnReply on_reply,
         Args &&...args) {
  const auto ticket = services.waits->open({names.who, names.whom, names.what, now_ns(self)});
  self->request(to, caf::duration{services.deadline}, std::forward<Args>(args)...)
      .then(
          [waits = services.waits, ticket, on_reply](const Reply &reply) {
            waits->close(ticket);
            on_reply(reply);
          },
          [self, waits = services.waits, ticket, names](const caf::error &reason) {
            waits->close(ticket);
            self->quit(broken_request(reason, names.who + " asked " + names.whom + " for " + names.what));
          });
}

}  // namespace slipstream
