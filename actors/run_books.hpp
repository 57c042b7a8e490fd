#pragma once

#include <caf/fwd.hpp>

#include "actors/preflight.hpp"
#include "actors/services.hpp"
#include "runtime/journal/resume.hpp"

namespace slipstream {

/// Spawns the ledger with the books of a run that begins, or goes on from `resumed`.
ledger_actor spawn_books(caf::actor_system &system, const preflight &plan, const run_services &services,
                         const resume_point *resumed);

/// Writes what a journal says first: which run begins, or where it goes on.
void open_journal(const preflight &plan, const run_services &services, const resume_point *resumed);

}  // namespace slipstream
