#pragma once

#include "actors/context.hpp"

namespace slipstream {

/// The buffer of a learner's path: made for the first of its learners, shared by all.
buffer_actor path_buffer(spawn_context &context, const actor_config &learner);

}  // namespace slipstream
