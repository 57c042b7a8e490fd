#pragma once

#include "runtime/types.hpp"

namespace slipstream {

/// What was read from a file or a socket: figures stand beside every token of an answer, or are left out.
/// Throws run_error where their numbers differ.
void require_sound(const generation &answer);
/// The same of a sample, whose figures stand beside the tokens behind its prompt.
void require_sound(const sample &entry);

}  // namespace slipstream
