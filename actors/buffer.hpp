#pragma once

#include <caf/fwd.hpp>

#include <chrono>

#include "actors/services.hpp"
#include "runtime/schedule/buffer_machine.hpp"

namespace slipstream {

struct buffer_setup {
  buffer_rules rules;
  ledger_actor ledger{};
  run_services services{};
  std::chrono::nanoseconds patience{0};  ///< how long a learner waits for a whole batch before fewer will do
};

/// Keeps the finished groups of one path and answers each learner's pull once its batch is there: it carries
/// messages to and from the buffer's machine.
buffer_actor spawn_buffer(caf::actor_system &system, buffer_setup setup);

}  // namespace slipstream
