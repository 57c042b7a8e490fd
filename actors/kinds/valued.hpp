#pragma once

#include "runtime/learning/vtrace.hpp"
#include "runtime/topology/settings.hpp"

namespace slipstream {

/// The keys of advantage.vtrace that the learners of its samples act by.
vtrace_options read_vtrace(settings &s);

}  // namespace slipstream
