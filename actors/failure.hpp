#pragma once

#include <caf/error.hpp>
#include <caf/sec.hpp>

#include <exception>
#include <string>

#include "models/error.hpp"

namespace slipstream {

/// Exceptions stop at the edge of an actor: there they become its exit reason, with their text. input_error
/// becomes sec::invalid_argument (exit code 2), anything else sec::runtime_error (exit code 1).
caf::error to_exit_reason(const std::exception_ptr &thrown);

/// The exit reason of an actor whose request (in words: "learner asked buffer for a batch") failed by
/// `reason`. It tells of a consequence unless the answer is only late.
caf::error broken_request(const caf::error &reason, const std::string &request);

/// Whether an actor ended because another one had: that one's reason is the one to tell.
bool is_consequence(const caf::error &reason);

/// The text of an exit reason made here; CAF's own reasons in plain words.
std::string failure_text(const caf::error &reason);

/// First line of every behaviour: makes exceptions end the actor with their text.
template <class Self>
void fail_with_text(Self *self) {
  self->set_exception_handler([](std::exception_ptr &thrown) { return to_exit_reason(thrown); });
}

}  // namespace slipstream
