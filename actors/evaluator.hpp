#pragma once

#include <caf/fwd.hpp>

#include <functional>
#include <memory>
#include <string>

#include "actors/compute.hpp"
#include "runtime/evaluation/evaluation.hpp"

namespace slipstream {

struct evaluator_setup {
  compute_share share;
  std::function<std::unique_ptr<evaluation>(const std::shared_ptr<const transformer> &)> begin;
  std::int64_t every = 0;  ///< versions between evaluations; 0: only the last one
  weights_actor weights;
};

/// Evaluates the versions that are due, in slices, and reports each to the supervisor; done after the one
/// that is published as the last.
caf::strong_actor_ptr spawn_evaluator(caf::actor_system &system, bool detached, const evaluator_setup &setup);

}  // namespace slipstream
