#pragma once

#include <ATen/Parallel.h>
#include <caf/actor_cast.hpp>
#include <caf/actor_system.hpp>
#include <caf/send.hpp>

#include <string>

#include "actors/services.hpp"

namespace slipstream {

/// The span of held-out evaluation, which counts neither as work of the run nor in its time.
inline constexpr const char *evaluation_span = "evaluate";

/// What a compute actor needs to take its turn on the run's cores.
struct compute_share {
  std::string actor;
  std::int64_t threads = 1;
  run_services services;
  std::int64_t ranks = 1;  ///< threads of that many LibTorch threads each, all at work in a slice
};

/// Runs one slice of work (about 100 ms at most): holds the actor's cores, sets its LibTorch threads (they
/// are per thread) and reports the time spent, waiting for cores left out. `body` returns the tokens it
/// handled.
template <class Self, class Body>
void compute(Self *self, const compute_share &share, const char *what, Body &&body) {
  const auto asked_ns = now_ns(self);
  const slot_lease lease(*share.services.slots, share.threads * share.ranks);
  if (at::get_num_threads() != share.threads) at::set_num_threads(static_cast<int>(share.threads));
  span done{share.actor, what, now_ns(self), 0, 0};
  done.queued_ns = done.begin_ns - asked_ns;
  done.tokens = body();
  done.end_ns = now_ns(self);
  self->send(share.services.recorder, std::move(done));
}

/// Spawns a typed actor on a thread of its own, or (tests, virtual time) on the system's scheduler.
template <class Behaviour, class Setup>
caf::strong_actor_ptr spawn_compute(caf::actor_system &system, bool detached, Behaviour behave,
                                    const Setup &setup) {
  if (detached) return caf::actor_cast<caf::strong_actor_ptr>(system.spawn<caf::detached>(behave, setup));
  return caf::actor_cast<caf::strong_actor_ptr>(system.spawn(behave, setup));
}

}  // namespace slipstream
