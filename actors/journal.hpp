#pragma once

#include <caf/fwd.hpp>

#include <filesystem>

#include "actors/interfaces.hpp"

namespace slipstream {

/// Writes the run's journal into `folder`, behind what stands there already; on a thread of its own where
/// `detached`, because a sync may take a while.
journal_actor spawn_journal(caf::actor_system &system, const std::filesystem::path &folder, bool detached);

}  // namespace slipstream
